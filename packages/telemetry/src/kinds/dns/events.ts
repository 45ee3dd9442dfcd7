/** The events that are made of packets of the DNS; event-specs.ts explains their members. */

import type { BaseEvent } from '../../event/event.js'
import type { Forms } from '../../event/forms.js'
import type { Process } from '../../process/process.js'
import type { Relatives } from '../../process/relatives.js'
import type { DnsAnswer } from './message.js'

export type { DnsAnswer }

/** What was seen of a question, in the order in which an event lists it. */
export type DnsAction = 'query' | 'answer'

/** Who asks: a process of this machine, or somebody else one of it. */
export type DnsDirection = 'outbound' | 'inbound'

/** A name was looked up, and perhaps the answer came. */
export interface DnsEvent extends BaseEvent, Forms<DnsEvent> {
  readonly kind: 'dns'
  readonly actions: readonly DnsAction[]
  /** Epoch ns of the first action. */
  readonly timeNs: bigint
  readonly protocol: 'dns' | 'mdns' | 'llmnr'
  readonly direction: DnsDirection
  readonly transport: 'udp' | 'tcp'
  readonly pid: number | undefined
  readonly name: string | undefined
  readonly type: string | undefined
  readonly class: string | undefined
  readonly questionCount: number
  readonly opcode: string
  readonly dnsId: number
  readonly flags: readonly string[]
  readonly rcode: string | undefined
  readonly answers: readonly DnsAnswer[] | undefined
  readonly answerCount: number | undefined
  readonly addresses: readonly string[] | undefined
  readonly clientSubnet: string | undefined
  readonly clientIp: string
  readonly clientPort: number
  readonly serverIp: string
  readonly serverPort: number
  readonly latencyNs: bigint | undefined
  readonly attempts: number | undefined
  readonly queryBytes: number | undefined
  readonly answerBytes: number | undefined
  readonly isCut: boolean
  readonly isMalformed: boolean
  readonly serverPid: number | undefined
  readonly netNs: number | undefined
  readonly socketId: bigint | undefined
  readonly queryMessage: Uint8Array | undefined
  readonly answerMessage: Uint8Array | undefined
  readonly process: Process | undefined
  readonly relatives?: Relatives | undefined
}
