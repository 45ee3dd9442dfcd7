/** perf events on every CPU, and the rings that they write to. */

import { constants } from 'node:os'
import { ClosedError, EbpfError } from '../errors.js'
import { KernelError } from '../sys/errors.js'
import { PERF_SAMPLE_TYPE, PerfCursor, type PerfSink } from './cursor.js'
import { suspendedNs } from '../sys/clock.js'
import { Fd } from '../sys/fd.js'
import { readAgain } from '../sys/files.js'
import { ioctl, pageSizeBytes, perfEventOpen, read } from '../sys/libc.js'
import { MappedMemory } from '../sys/memory.js'
import { checked } from '../sys/permission.js'
import { kernelAtLeast } from '../sys/platform.js'

const PERF_TYPE_SOFTWARE = 1
const PERF_TYPE_TRACEPOINT = 2
const PERF_COUNT_SW_DUMMY = 9
const PERF_FLAG_FD_CLOEXEC = 8
const PERF_FORMAT_TOTAL_TIME_ENABLED = 1
const PERF_FORMAT_LOST = 16
const PERF_EVENT_IOC_ENABLE = 0x2400
const PERF_EVENT_IOC_DISABLE = 0x2401
const PERF_EVENT_IOC_SET_OUTPUT = 0x2405
/** `struct perf_event_attr` up to sample_max_stack. */
const ATTR_SIZE_BYTES = 112
const ATTR_DISABLED = 1n
const ATTR_WATERMARK = 1n << 14n
const ATTR_SAMPLE_ID_ALL = 1n << 18n
const ATTR_USE_CLOCKID = 1n << 25n
const CLOCK_MONOTONIC = 1
const CLOCK_BOOTTIME = 7
const ONLINE_CPUS = '/sys/devices/system/cpu/online'

/** One CPU's ring, and the events that write to it. */
interface CpuRing {
  readonly cursor: PerfCursor
  readonly memory: MappedMemory
  /** Owns the ring; does not count anything itself. */
  readonly leader: Fd
  readonly events: Fd[]
  /** Losses reported from LOST records, and losses reported before the LOST record that will repeat them. */
  reportedByRecord: number
  reportedAhead: number
  /** Enabled time of the first event when `#endedCpus` last read it. */
  enabledNs: bigint
}

export interface PerfBufferOptions {
  /** Size of the rings of all CPUs together; each gets a power of two of pages. */
  readonly sizeBytes: number
  /** Tracing events that write to the rings: what tracefs has in `events/…/id`. */
  readonly eventIds: readonly number[]
}

/** Smallest ring of a CPU, unless less is asked for altogether. */
const MIN_CPU_BYTES = 64 << 10

/** Per-CPU perf rings that tracing events write to. Needs Linux 4.1. */
export class PerfBuffer implements Disposable {
  readonly #ringSizeBytes: number
  readonly #rings = new Map<number, CpuRing>()
  readonly #eventIds: readonly number[]
  readonly #clock: number
  /** Added to the events' times to convert them to CLOCK_BOOTTIME. */
  #shiftNs = 0n
  readonly #onlineFile: Fd
  #online = ''
  #isRunning = false
  #isClosed = false

  private constructor(ringSizeBytes: number, eventIds: readonly number[], clock: number) {
    // Kept open: the process may lose access to /sys.
    this.#onlineFile = openOnline()
    this.#ringSizeBytes = ringSizeBytes
    this.#eventIds = eventIds
    this.#clock = clock
  }

  /**
   * Opens a ring and all events on every CPU that is online. Nothing is written before `start`.
   *
   * @throws {KernelError} when the kernel refuses
   */
  static open({ sizeBytes, eventIds }: PerfBufferOptions): PerfBuffer {
    using file = openOnline()
    const online = readAgain(file.number).trim()
    const share = Math.max(sizeBytes / cpusOf(online).length, Math.min(MIN_CPU_BYTES, sizeBytes))
    const pages = Math.max(1, 2 ** Math.floor(Math.log2(share / pageSizeBytes())))
    const ringSizeBytes = pages * pageSizeBytes()
    try {
      return PerfBuffer.#openWith(new PerfBuffer(ringSizeBytes, eventIds, CLOCK_BOOTTIME), online)
    } catch (error) {
      // Not every kernel takes this clock for events that may hit in an NMI.
      if (!(error instanceof KernelError) || error.errno !== constants.errno.EINVAL) throw error
      return PerfBuffer.#openWith(new PerfBuffer(ringSizeBytes, eventIds, CLOCK_MONOTONIC), online)
    }
  }

  static #openWith(buffer: PerfBuffer, online: string): PerfBuffer {
    try {
      buffer.#openRings(online)
      return buffer
    } catch (error) {
      buffer.close()
      throw error
    }
  }

  /** CPUs that have a ring. */
  get cpus(): readonly number[] {
    return [...this.#rings.keys()]
  }

  /** Descriptors that become readable when a ring is half full. */
  get fds(): readonly Fd[] {
    return [...this.#rings.values()].map(({ leader }) => leader)
  }

  /** Used share of the fullest ring, 0 to 1. */
  get fullness(): number {
    return Math.max(0, ...[...this.#rings.values()].map(({ cursor }) => cursor.fullness))
  }

  /** Whether any ring has records to drain. */
  get hasBacklog(): boolean {
    for (const { cursor } of this.#rings.values()) if (cursor.backlogBytes > 0) return true
    return false
  }

  /** Enables all events. */
  start(): void {
    this.#check()
    this.#isRunning = true
    for (const ring of this.#rings.values()) enable(ring)
  }

  /** Disables all events; what was written can still be drained. */
  stop(): void {
    if (this.#isClosed) return
    this.#isRunning = false
    for (const { events } of this.#rings.values()) {
      for (const event of events) ioctl(event.number, PERF_EVENT_IOC_DISABLE, 0)
    }
  }

  /** Drains all rings, CPU by CPU. Times are those of CLOCK_BOOTTIME. */
  drain(sink: PerfSink): void {
    if (this.#clock === CLOCK_MONOTONIC) this.#shiftNs = suspendedNs(this.#shiftNs)
    for (const ring of this.#rings.values()) this.#drainRing(ring, sink)
  }

  #drainRing(ring: CpuRing, sink: PerfSink): void {
    const shiftNs = this.#shiftNs
    ring.cursor.drain({
      sample: (sample) => sink.sample({ ...sample, timeNs: sample.timeNs + shiftNs }),
      lost: (cpu, count) => {
        const known = Math.min(count, ring.reportedAhead)
        ring.reportedByRecord += count
        ring.reportedAhead -= known
        if (count > known) sink.lost(cpu, count - known)
      },
    })
  }

  /**
   * Reports losses for which the kernel has written no LOST record yet: it writes one only before the CPU's next
   * record. Does nothing before Linux 6.0, where the count of losses cannot be read.
   */
  reportLosses(sink: PerfSink): void {
    if (this.#isClosed) return
    for (const [cpu, ring] of this.#rings) reportRingLosses(cpu, ring, sink)
  }

  /**
   * Opens rings for CPUs that came online, and closes those of CPUs that went offline: their events ended, even if the
   * CPU is back, as after a suspend. What is left in the rings goes to `sink`, and so does one loss per CPU that came
   * online while the events were enabled: what it did before is unknown. Do not call it twice in a row: an event whose
   * enabled time has not advanced since the last call counts as ended.
   *
   * @returns whether `fds` changed
   * @throws {KernelError} when the kernel refuses
   */
  followCpus(sink: PerfSink): boolean {
    this.#check()
    const online = readAgain(this.#onlineFile.number).trim()
    const ended = new Set(this.#isRunning ? this.#endedCpus() : [])
    if (online === this.#online && ended.size === 0) return false
    const cpus = cpusOf(online)
    for (const [cpu, ring] of this.#rings) {
      if (cpus.includes(cpu) && !ended.has(cpu)) continue
      this.#drainRing(ring, sink)
      reportRingLosses(cpu, ring, sink)
      release(ring)
      this.#rings.delete(cpu)
    }
    // If this fails, the next call tries again.
    this.#online = ''
    const opened = this.#openRings(online)
    if (!this.#isRunning) return true
    try {
      for (const cpu of opened) enable(this.#rings.get(cpu) as CpuRing)
    } catch (error) {
      this.#online = ''
      this.#releaseRings(opened)
      throw error
    }
    for (const cpu of opened) sink.lost(cpu, 1)
    return true
  }

  /** Closes all events, which lets their probes be removed. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const ring of this.#rings.values()) release(ring)
    this.#rings.clear()
    this.#onlineFile.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** CPUs whose events have not been enabled since the last call. */
  #endedCpus(): number[] {
    return [...this.#rings].flatMap(([cpu, ring]) => {
      const enabledNs = countsOf(ring.events[0])?.enabledNs
      const isEnded = enabledNs === ring.enabledNs
      ring.enabledNs = enabledNs ?? -1n
      return isEnded ? [cpu] : []
    })
  }

  /** Returns the CPUs that are new. */
  #openRings(online: string): number[] {
    const opened: number[] = []
    try {
      for (const cpu of cpusOf(online)) {
        if (this.#rings.has(cpu)) continue
        const ring = this.#openRing(cpu)
        if (ring === undefined) continue
        this.#rings.set(cpu, ring)
        opened.push(cpu)
        for (const id of this.#eventIds) this.#openEvent(cpu, ring, id)
      }
    } catch (error) {
      // A ring that is there is not opened again: what it lacks it would lack for good.
      this.#releaseRings(opened)
      throw error
    }
    this.#online = online
    return opened
  }

  #releaseRings(cpus: readonly number[]): void {
    for (const cpu of cpus) {
      const ring = this.#rings.get(cpu)
      if (ring !== undefined) release(ring)
      this.#rings.delete(cpu)
    }
  }

  /** Undefined if the CPU went offline in the meantime. */
  #openRing(cpu: number): CpuRing | undefined {
    const leader = this.#openFd(cpu, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY)
    if (leader === undefined) return undefined
    try {
      const pageBytes = pageSizeBytes()
      const memory = MappedMemory.map(leader, pageBytes + this.#ringSizeBytes, {
        what: `the perf ring of CPU ${cpu}`,
        writable: true,
      })
      const control = new BigUint64Array(memory.buffer, 0, pageBytes / 8)
      const data = Buffer.from(memory.buffer, pageBytes, this.#ringSizeBytes)
      return {
        cursor: new PerfCursor(cpu, { control, data }),
        memory,
        leader,
        events: [],
        reportedByRecord: 0,
        reportedAhead: 0,
        enabledNs: -1n,
      }
    } catch (error) {
      leader.close()
      throw error
    }
  }

  #openEvent(cpu: number, ring: CpuRing, id: number): void {
    const event = this.#openFd(cpu, PERF_TYPE_TRACEPOINT, id)
    if (event === undefined) return
    ring.events.push(event)
    const action = `Cannot let event ${id} write to the ring of CPU ${cpu}`
    const result = ioctl(event.number, PERF_EVENT_IOC_SET_OUTPUT, ring.leader.number)
    checked(action, 'ioctl(PERF_EVENT_IOC_SET_OUTPUT)', result)
  }

  #openFd(cpu: number, type: number, config: number): Fd | undefined {
    const attr = attrOf({ type, config, clock: this.#clock, watermarkBytes: this.#ringSizeBytes / 2 })
    const result = perfEventOpen(attr, -1, cpu, PERF_FLAG_FD_CLOEXEC)
    if (result === -constants.errno.ENODEV) return undefined
    const what = type === PERF_TYPE_SOFTWARE ? 'a perf ring' : `event ${config}`
    const fd = checked(`Cannot open ${what} on CPU ${cpu}`, 'perf_event_open', result)
    return new Fd(fd, `${what} of CPU ${cpu}`)
  }

  #check(): void {
    if (this.#isClosed) throw new ClosedError('The perf buffer')
  }
}

interface AttrValues {
  readonly type: number
  readonly config: number
  readonly clock: number
  readonly watermarkBytes: number
}

function attrOf({ type, config, clock, watermarkBytes }: AttrValues): Uint8Array {
  const bytes = new Uint8Array(ATTR_SIZE_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, type, true)
  view.setUint32(4, ATTR_SIZE_BYTES, true)
  view.setBigUint64(8, BigInt(config), true)
  view.setBigUint64(16, type === PERF_TYPE_TRACEPOINT ? 1n : 0n, true)
  view.setBigUint64(24, BigInt(PERF_SAMPLE_TYPE), true)
  view.setBigUint64(
    32,
    BigInt(PERF_FORMAT_TOTAL_TIME_ENABLED | (kernelAtLeast('6.0') ? PERF_FORMAT_LOST : 0)),
    true,
  )
  view.setBigUint64(40, ATTR_DISABLED | ATTR_WATERMARK | ATTR_SAMPLE_ID_ALL | ATTR_USE_CLOCKID, true)
  view.setUint32(48, watermarkBytes, true)
  view.setInt32(92, clock, true)
  return bytes
}

function enable({ events }: CpuRing): void {
  for (const event of events) {
    checked(
      'Cannot start an event',
      'ioctl(PERF_EVENT_IOC_ENABLE)',
      ioctl(event.number, PERF_EVENT_IOC_ENABLE, 0),
    )
  }
}

function reportRingLosses(cpu: number, ring: CpuRing, sink: PerfSink): void {
  if (!kernelAtLeast('6.0')) return
  const lost = ring.events.reduce((sum, event) => sum + (countsOf(event)?.lost ?? 0), 0)
  const count = lost - ring.reportedByRecord - ring.reportedAhead
  if (count <= 0) return
  ring.reportedAhead += count
  sink.lost(cpu, count)
}

/** Enabled time and lost records of an event; undefined if they cannot be read. */
function countsOf(event: Fd | undefined): { readonly enabledNs: bigint; readonly lost: number } | undefined {
  if (event === undefined) return undefined
  // The count itself comes first.
  const counts = new BigUint64Array(3)
  const result = read(event.number, new Uint8Array(counts.buffer))
  return result < 16 ? undefined : { enabledNs: counts[1] as bigint, lost: Number(counts[2]) }
}

function release({ cursor, memory, leader, events }: CpuRing): void {
  cursor.stop()
  for (const event of events) event.close()
  memory.close()
  leader.close()
}

/** @throws {EbpfError} ERR_EBPF_NOT_SUPPORTED when there is no sysfs */
function openOnline(): Fd {
  try {
    return Fd.openFile(ONLINE_CPUS, 'r', 'list of CPUs')
  } catch (cause) {
    const action = `Cannot open perf rings: ${ONLINE_CPUS}, which names the CPUs, cannot be read`
    throw new EbpfError('ERR_EBPF_NOT_SUPPORTED', `${action} (run: mount -t sysfs sysfs /sys)`, { cause })
  }
}

/** The numbers in a list of CPUs such as `0-3,8`. */
export function cpusOf(list: string): number[] {
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
}
