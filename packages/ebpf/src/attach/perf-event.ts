import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { EbpfError } from '../errors.js'
import type { Program } from '../program/program.js'
import { BPF_PERF_EVENT } from '../program/types.js'
import { bpf, BPF_LINK_CREATE, BPF_OBJ_GET_INFO_BY_FD, BpfAttr, cString } from '../sys/bpf.js'
import { Fd } from '../sys/fd.js'
import { addressOf, ioctl, perfEventOpen } from '../sys/libc.js'
import { checked } from '../sys/permission.js'
import { kernelAtLeast } from '../sys/platform.js'
import { Link } from './link.js'

const PERF_TYPE_TRACEPOINT = 2
const PERF_FLAG_FD_CLOEXEC = 8
const PERF_EVENT_IOC_ENABLE = 0x2400
const PERF_EVENT_IOC_SET_BPF = 0x4004_2408
/** `struct perf_event_attr` up to sample_max_stack, which every kernel with BPF on perf events takes. */
const PERF_ATTR_SIZE_BYTES = 112
/** `struct bpf_link_info` up to what a link to a kprobe was missed by; and where that is. */
const LINK_INFO_SIZE_BYTES = 64
const LINK_INFO_MISSED = 48
const EVENT_SOURCES = '/sys/bus/event_source/devices'
const TRACING_FOLDERS = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing']

/**
 * Attaches a kprobe program to a kernel function. Needs Linux 4.17 built with CONFIG_KPROBE_EVENTS.
 *
 * @param symbol a function of /proc/kallsyms
 * @param options `retprobe`: run when the function returns; `offsetBytes`: into the function, not for retprobes
 * @throws {EbpfError} ERR_EBPF_NOT_SUPPORTED when this kernel has no kprobes
 * @throws {KernelError} ENOENT when there is no such function
 */
export function attachKprobe(
  program: Program,
  symbol: string,
  options: { readonly retprobe?: boolean; readonly offsetBytes?: number } = {},
): KprobeLink {
  const { retprobe = false, offsetBytes = 0 } = options
  const kind = retprobe ? 'kretprobe' : 'kprobe'
  const type = readNumber(`${EVENT_SOURCES}/kprobe/type`)
  if (type === undefined) {
    throw new EbpfError(
      'ERR_EBPF_NOT_SUPPORTED',
      `Cannot attach program "${program.name}" to ${kind} "${symbol}": ${EVENT_SOURCES}/kprobe does not exist ` +
        '(it needs Linux 4.17 built with CONFIG_KPROBE_EVENTS: use a tracepoint instead)',
    )
  }
  const name = cString(symbol)
  const attr = new PerfAttr(type)
  // Bit 0 of config says "retprobe" (format/retprobe); config1 is the name, config2 the offset.
  attr
    .u64(8, retprobe ? 1n : 0n)
    .u64(56, addressOf(name))
    .u64(64, BigInt(offsetBytes))
  return attachPerf(program, kind, symbol, attr, name) as KprobeLink
}

/**
 * Attaches a tracepoint program to a tracepoint of tracefs. Needs tracefs to be mounted.
 *
 * @param category such as `sched`
 * @param name such as `sched_process_exec`
 * @throws {EbpfError} ERR_EBPF_NOT_SUPPORTED when tracefs does not show the tracepoint
 */
export function attachTracepoint(program: Program, category: string, name: string): Link {
  const target = `${category}/${name}`
  const id = TRACING_FOLDERS.map((folder) => readNumber(`${folder}/events/${target}/id`)).find(
    Number.isInteger,
  )
  if (id === undefined) {
    throw new EbpfError(
      'ERR_EBPF_NOT_SUPPORTED',
      `Cannot attach program "${program.name}" to tracepoint "${target}": no ${TRACING_FOLDERS.join(' or ')} ` +
        `has events/${target}/id (mount tracefs, check the name, or use a raw tracepoint)`,
    )
  }
  return attachPerf(program, 'tracepoint', target, new PerfAttr(PERF_TYPE_TRACEPOINT).u64(8, BigInt(id)))
}

class PerfAttr {
  readonly bytes = new Uint8Array(PERF_ATTR_SIZE_BYTES)
  readonly #view = new DataView(this.bytes.buffer)

  constructor(type: number) {
    this.#view.setUint32(0, type, true)
    this.#view.setUint32(4, PERF_ATTR_SIZE_BYTES, true)
    // sample_period and wakeup_events of 1, as perf itself asks for tracing events
    this.#view.setBigUint64(16, 1n, true)
    this.#view.setUint32(48, 1, true)
  }

  u64(offset: number, value: bigint): this {
    this.#view.setBigUint64(offset, value, true)
    return this
  }
}

/** A program at the entry or the return of a kernel function. */
export class KprobeLink extends Link {
  readonly #fd: Fd | undefined
  #missed = 0

  /** @param fd the link's own descriptor, where there is one */
  constructor(kind: 'kprobe' | 'kretprobe', target: string, fd: Fd | undefined, detach: () => void) {
    super(kind, target, detach)
    this.#fd = fd
  }

  /**
   * Calls of the function that the kernel let pass: since another probe was being handled on that CPU, or, for a kretprobe, as
   * more tasks were in the function than it reserves for. 0 before Linux 6.7, which does not say; of a closed link as many
   * as until then.
   *
   * @throws {KernelError}
   */
  missedRuns(): number {
    if (this.#fd === undefined || this.closed) return this.#missed
    const bytes = new Uint8Array(LINK_INFO_SIZE_BYTES)
    const attr = new BpfAttr().u32(0, this.#fd.number).u32(4, bytes.byteLength).pointer(8, bytes)
    const action = `Cannot inspect the link to ${this.kind} "${this.target}"`
    checked(action, 'bpf(BPF_OBJ_GET_INFO_BY_FD)', bpf(BPF_OBJ_GET_INFO_BY_FD, attr))
    return Number(new DataView(bytes.buffer).getBigUint64(LINK_INFO_MISSED, true))
  }

  override close(): void {
    try {
      this.#missed = this.missedRuns()
    } finally {
      super.close()
    }
  }
}

/** `pinned` is what `attr` points to, kept alive until the call is over. */
function attachPerf(
  program: Program,
  kind: 'kprobe' | 'kretprobe' | 'tracepoint',
  target: string,
  attr: PerfAttr,
  pinned?: Uint8Array,
): Link {
  const action = `Cannot attach program "${program.name}" to ${kind} "${target}"`
  // Any process on CPU 0: the program is attached to the probe itself, so it runs on every CPU.
  const opened = perfEventOpen(attr.bytes, -1, 0, PERF_FLAG_FD_CLOEXEC)
  const advice =
    opened === -constants.errno.ENOENT && pinned !== undefined
      ? 'this kernel has no such function'
      : undefined
  const fd = new Fd(checked(action, 'perf_event_open', opened, advice), `link to ${kind} "${target}"`)
  let link: Fd | undefined
  const close = (): void => {
    link?.close()
    fd.close()
  }
  try {
    // Of a link the kernel says what it missed.
    if (kind !== 'tracepoint' && kernelAtLeast('6.7')) {
      const create = new BpfAttr().u32(0, program.fd.number).u32(4, fd.number).u32(8, BPF_PERF_EVENT)
      const created = checked(action, 'bpf(BPF_LINK_CREATE)', bpf(BPF_LINK_CREATE, create))
      link = new Fd(created, `link of program "${program.name}"`)
    } else {
      const set = ioctl(fd.number, PERF_EVENT_IOC_SET_BPF, program.fd.number)
      checked(action, 'ioctl(PERF_EVENT_IOC_SET_BPF)', set)
    }
    checked(action, 'ioctl(PERF_EVENT_IOC_ENABLE)', ioctl(fd.number, PERF_EVENT_IOC_ENABLE, 0))
  } catch (error) {
    close()
    throw error
  }
  return kind === 'tracepoint' ? new Link(kind, target, close) : new KprobeLink(kind, target, link, close)
}

function readNumber(path: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(path, 'latin1'), 10)
  } catch {
    return undefined
  }
}
