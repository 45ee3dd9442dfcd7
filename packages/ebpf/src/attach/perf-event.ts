import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { EbpfError } from '../errors.js'
import type { Program } from '../program/program.js'
import { cString } from '../sys/bpf.js'
import { Fd } from '../sys/fd.js'
import { addressOf, ioctl, perfEventOpen } from '../sys/libc.js'
import { checked } from '../sys/permission.js'
import { Link } from './link.js'

const PERF_TYPE_TRACEPOINT = 2
const PERF_FLAG_FD_CLOEXEC = 8
const PERF_EVENT_IOC_ENABLE = 0x2400
const PERF_EVENT_IOC_SET_BPF = 0x4004_2408
/** `struct perf_event_attr` up to sample_max_stack, which every kernel with BPF on perf events takes. */
const PERF_ATTR_SIZE_BYTES = 112
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
): Link {
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
  return attachPerf(program, kind, symbol, attr, name)
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
  try {
    checked(
      action,
      'ioctl(PERF_EVENT_IOC_SET_BPF)',
      ioctl(fd.number, PERF_EVENT_IOC_SET_BPF, program.fd.number),
    )
    checked(action, 'ioctl(PERF_EVENT_IOC_ENABLE)', ioctl(fd.number, PERF_EVENT_IOC_ENABLE, 0))
  } catch (error) {
    fd.close()
    throw error
  }
  return new Link(kind, target, () => fd.close())
}

function readNumber(path: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(path, 'latin1'), 10)
  } catch {
    return undefined
  }
}
