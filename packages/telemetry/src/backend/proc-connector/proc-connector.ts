/** The proc connector as a backend: needs no eBPF and no probes, only CAP_NET_ADMIN. */

import {
  clockNs,
  kernelAtLeast,
  makeRoom,
  MessageGaps,
  openProcConnector as openConnector,
  parseProcMessage,
  possibleCpuCount,
  suspendedNs,
  PROC_MESSAGE_BYTES,
  type ProcConnector,
  receiveQueue,
} from 'quark-ebpf'
import type { AttachedFact, MissingFact } from '../../pipeline/stats.js'
import type { Backend } from '../backend.js'
import type { BackendContext } from '../index.js'
import { Outbox } from '../outbox.js'
import { ProcConnectorRecords, type TimedMessage } from './records.js'
import { checkProc } from '../../process/procfs/enrich.js'
import { type LiveProcess, scanLiveProcesses } from './table.js'
import { SocketBackend } from '../socket-backend.js'

/** Records that may wait. No more messages are read while half of them do: the socket has more room. */
const MAX_RECORDS = 4096
/** Messages that are read before /proc is. */
const MAX_MESSAGES = 256
/** A message of 76 bytes takes more of its socket, by about as much as it is shorter than a record. */
const ROOM_FACTOR = 8

/**
 * Opens the proc connector.
 *
 * @throws {QuarkError} ERR_QUARK_SYSTEM when /proc is of another pid namespace
 * @throws {EbpfError} when the kernel refuses, or this is not the initial pid and user namespace
 */
export function openProcConnector({ settings, hierarchy }: BackendContext): Backend {
  checkProc('the proc connector')
  const outbox = new Outbox(possibleCpuCount() + 1, MAX_RECORDS)
  const connector = openConnector()
  try {
    makeRoom(connector.fd, settings.ringSizeBytes * ROOM_FACTOR)
    // Without a mask: the numbers of messages have no gaps then but those of losses.
    connector.listen()
    const live: Map<number, LiveProcess> = scanLiveProcesses(clockNs('boottime'))
    const records = new ProcConnectorRecords(settings, hierarchy, outbox, live)
    return new ProcConnectorBackend(connector, outbox, records, missingFacts(settings))
  } catch (error) {
    connector.close()
    throw error
  }
}

class ProcConnectorBackend extends SocketBackend {
  readonly name = 'procConnector'
  readonly attached = ATTACHED
  readonly missing: readonly MissingFact[]
  readonly #connector: ProcConnector
  readonly #records: ProcConnectorRecords
  readonly #gaps = new MessageGaps()
  readonly #buffer = Buffer.alloc(PROC_MESSAGE_BYTES * 2)
  /** Received, and not yet made into records. */
  #later: TimedMessage[] = []
  #bootOffsetNs = 0n
  /** Messages of a later time are not of this queue any more. */
  #stopNs: bigint | undefined
  #isEnded = false

  constructor(
    connector: ProcConnector,
    outbox: Outbox,
    records: ProcConnectorRecords,
    missing: readonly MissingFact[],
  ) {
    super(connector.fd, outbox)
    this.#connector = connector
    this.#records = records
    this.missing = missing
  }

  get unenriched(): number {
    return this.#records.unenriched
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
      this.#later = this.#records.make(messages, () => this.#receive())
    }
  }

  #receive(): TimedMessage[] {
    const messages: TimedMessage[] = []
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

  /** What is missing now, no message of its CPU has revealed yet: its CPU is not known, and has no number. */
  #noteEmpty(): void {
    this.#records.endLeaderless()
    const queue = receiveQueue(this.#connector.fd)
    if (queue !== undefined) this.#noteLost(this.outbox.sequences().length - 1, this.#gaps.upTo(queue.drops))
    if (this.#stopNs !== undefined) this.#isEnded = true
  }

  #noteLost(cpu: number, count: number): void {
    if (count > 0) this.outbox.noteLost(cpu, count)
  }
}

const MESSAGE_FACTS = {
  fork: 'PROC_EVENT_FORK',
  exec: 'PROC_EVENT_EXEC',
  exit: 'PROC_EVENT_EXIT',
  commChange: 'PROC_EVENT_COMM',
  idChange: 'PROC_EVENT_UID, _GID, _SID',
}

/** Files of a process, and what they add to its records. */
const PROCFS_FACTS = {
  stat: 'ppid, pgid, sid, tty, start time, comm',
  status: 'user and group ids, capabilities',
  cmdline: 'argv',
  'cwd, exe, root': 'paths',
  ns: 'namespaces',
  cgroup: 'cgroup',
}

const ATTACHED: readonly AttachedFact[] = [
  ...Object.entries(MESSAGE_FACTS).map(([fact, event]) => ({
    fact,
    hook: `proc connector/${event}`,
    flavor: 'message',
  })),
  ...Object.entries(PROCFS_FACTS).map(([file, fact]) => ({
    fact,
    hook: `/proc/PID/${file}`,
    flavor: 'procfs',
  })),
]

function missingFacts({ usage, failedExecs }: BackendContext['settings']): MissingFact[] {
  const missing = [
    {
      fact: 'facts of short-lived processes',
      reason:
        'the proc connector tells only pids, parents, status, names and real and effective ids; the rest is read ' +
        'from /proc, where a process that ends at once is not found any more: stats().unenriched counts them',
    },
    {
      fact: 'cgroupNames',
      reason: 'no message tells of new cgroups: they are found by a scan when a process is in one',
    },
  ]
  if (!kernelAtLeast('5.16')) {
    const reason = 'before Linux 5.16 no message tells of names that are written to /proc/PID/comm'
    missing.push({ fact: 'commChange through /proc', reason })
  }
  if (usage) missing.push({ fact: 'usage', reason: 'the proc connector does not tell what a process used' })
  if (failedExecs) {
    missing.push({ fact: 'failedExecs', reason: 'the proc connector tells only of execs that succeeded' })
  }
  return missing
}
