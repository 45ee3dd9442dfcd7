/** The proc connector as a backend: needs no eBPF and no probes, only CAP_NET_ADMIN. */

import {
  clockNs,
  makeRoom,
  MessageGaps,
  openProcConnector as openConnector,
  parseProcMessage,
  suspendedNs,
  PROC_MESSAGE_BYTES,
  type ProcConnector,
  receiveQueue,
} from 'quark-ebpf'
import { LANES, UNKNOWN_LANE } from '../lanes.js'
import type { AttachedFact, MissingFact } from '../../facts/fact.js'
import type { TimedProcMessage } from '../../facts/rungs.js'
import { checkProc } from '../../process/procfs/enrich.js'
import { attachFacts } from '../attach-facts.js'
import type { Backend } from '../backend.js'
import type { BackendContext } from '../context.js'
import { Makers } from '../makers.js'
import { Outbox } from '../outbox.js'
import { SocketBackend } from '../socket-backend.js'

/** Records that may wait. No more messages are read while half of them do: the socket has more room. */
const MAX_RECORDS = 4096
/** Most messages of one batch: after it, /proc is read for them. */
const MAX_MESSAGES = 256
/** A message of 76 bytes takes more of its socket, by about as much as it is shorter than a record. */
const ROOM_FACTOR = 8

/**
 * Opens the proc connector.
 *
 * @throws {QuarkError} ERR_QUARK_SYSTEM when /proc is of another pid namespace
 * @throws {EbpfError} when the kernel refuses, or this is not the initial pid and user namespace
 */
export function openProcConnector({ settings, facts, sources }: BackendContext): Backend {
  checkProc('the proc connector')
  const outbox = new Outbox(LANES, MAX_RECORDS)
  const connector = openConnector()
  try {
    makeRoom(connector.fd, settings.ringSizeBytes * ROOM_FACTOR)
    const makers = new Makers<TimedProcMessage>()
    const { attached, missing } = attachFacts(facts, 'procConnector', sources, (rung) => ({
      attach: () => {
        makers.use(rung.maker)
        const { messages, lacks = [] } = rung
        return { hooks: [{ hook: `proc connector/${messages}`, flavor: 'message' }], lacks }
      },
    }))
    // Without a mask, gaps in the numbers of messages are always losses.
    connector.listen()
    makers.open({ records: outbox, unknownCpu: UNKNOWN_LANE })
    return new ProcConnectorBackend(connector, outbox, makers, {
      attached: [...attached, ...makers.attached],
      missing,
    })
  } catch (error) {
    connector.close()
    throw error
  }
}

class ProcConnectorBackend extends SocketBackend {
  readonly name = 'procConnector'
  readonly attached: readonly AttachedFact[]
  readonly missing: readonly MissingFact[]
  readonly #connector: ProcConnector
  readonly #makers: Makers<TimedProcMessage>
  readonly #gaps = new MessageGaps()
  readonly #buffer = Buffer.alloc(PROC_MESSAGE_BYTES * 2)
  /** Received, and not yet made into records. */
  #later: TimedProcMessage[] = []
  #bootOffsetNs = 0n
  /** Messages of a later time are not of this queue any more. */
  #stopNs: bigint | undefined
  #isEnded = false

  constructor(
    connector: ProcConnector,
    outbox: Outbox,
    makers: Makers<TimedProcMessage>,
    answers: Pick<Backend, 'attached' | 'missing'>,
  ) {
    super(connector.fd, outbox)
    this.#connector = connector
    this.#makers = makers
    this.attached = answers.attached
    this.missing = answers.missing
  }

  get unenriched(): number {
    return this.#makers.unenriched
  }

  stop(): void {
    this.#stopNs ??= clockNs('monotonic')
  }

  protected close(): void {
    this.#connector.close()
  }

  protected read(): void {
    while ((!this.#isEnded || this.#later.length > 0) && this.outbox.fullness < 0.5) {
      const messages = this.#later.length > 0 ? this.#later : this.#receive()
      if (messages.length === 0) {
        this.#noteEmpty()
        return
      }
      this.#makers.take(messages)
      this.#later = this.#receive()
      this.#makers.make(this.#later)
    }
  }

  #receive(): TimedProcMessage[] {
    const messages: TimedProcMessage[] = []
    this.#bootOffsetNs = suspendedNs(this.#bootOffsetNs)
    while (!this.#isEnded && messages.length < MAX_MESSAGES) {
      const lengthBytes = this.#connector.receive(this.#buffer)
      if (lengthBytes === 0) break
      const message = parseProcMessage(this.#buffer.subarray(0, lengthBytes))
      if (message === undefined) continue
      if (this.#stopNs !== undefined && message.monotonicNs > this.#stopNs) {
        this.#isEnded = true
        break
      }
      this.#noteLost(message.cpu, this.#gaps.before(message.cpu, message.seq))
      messages.push({ ...message, timeNs: message.monotonicNs + this.#bootOffsetNs })
    }
    return messages
  }

  /** Reports losses which no later message has revealed yet: their CPU is unknown, and they have no number. */
  #noteEmpty(): void {
    this.#makers.idle()
    const queue = receiveQueue(this.#connector.fd)
    if (queue !== undefined) this.#noteLost(UNKNOWN_LANE, this.#gaps.upTo(queue.drops))
    if (this.#stopNs !== undefined) this.#isEnded = true
  }

  #noteLost(cpu: number, count: number): void {
    if (count > 0) this.outbox.noteLost(cpu, count)
  }
}
