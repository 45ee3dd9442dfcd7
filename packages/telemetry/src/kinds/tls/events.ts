/** The event that is made of what a client of TLS says; event-specs.ts explains its members. */

import type { BaseEvent } from '../../event/event.js'
import type { Forms } from '../../event/forms.js'
import type { Process } from '../../process/process.js'
import type { Relatives } from '../../process/relatives.js'

/** Who begins: a process of this machine, or somebody else with a server of it. */
export type TlsDirection = 'outbound' | 'inbound'

/** A process begins to speak TLS, or somebody else with a server of this machine. */
export interface TlsEvent extends BaseEvent, Forms<TlsEvent> {
  readonly kind: 'tls'
  readonly timeNs: bigint
  readonly direction: TlsDirection
  readonly pid: number | undefined
  readonly serverName: string | undefined
  readonly protocols: readonly string[]
  readonly version: string | undefined
  readonly isEncrypted: boolean
  readonly clientIp: string
  readonly clientPort: number
  readonly serverIp: string
  readonly serverPort: number
  readonly netNs: number | undefined
  readonly socketId: bigint
  readonly process: Process | undefined
  readonly relatives?: Relatives | undefined
}
