import { constants } from 'node:os'
import { VerifierError } from '../sys/errors.js'
import { FUNCTION_INFO_BYTES, loadFunctionBtf } from './function-info.js'
import type { AttachType, ProgramType } from './types.js'
import { bpf, BPF_OBJ_GET_INFO_BY_FD, BPF_PROG_LOAD, BPF_PROG_TEST_RUN, BpfAttr } from '../sys/bpf.js'
import { cString, objectName } from '../sys/bpf.js'
import { Fd } from '../sys/fd.js'
import { type Result, withSignalsBlocked } from '../sys/libc.js'
import { checked, kernelError, memlockAdvice, withMemlock } from '../sys/permission.js'

/** Everything the kernel needs to load a program, as data. */
export interface ProgramSpec {
  /** Characters other than letters, digits and underscores become underscores; the kernel keeps 15. */
  readonly name: string
  readonly type: ProgramType
  /** Instructions of 8 bytes each, with map descriptors filled in. */
  readonly code: Uint8Array
  /** BTF id of the hook, for tracing and LSM programs. */
  readonly attachBtfId?: number
  readonly expectedAttachType?: AttachType
  /** `Dual BSD/GPL` when absent: many kernel functions may be called by GPL-compatible programs only. */
  readonly license?: string
  /** Text of the declaration that the program was generated from, for errors. */
  readonly declaration?: string
  /** 1 or 2 asks for the verifier's log of a program that it accepts; see `Program.verifierLog`. */
  readonly logLevel?: 0 | 1 | 2
  /** `BPF_F_*` flags of BPF_PROG_LOAD. */
  readonly flags?: number
  /** First instructions of the functions behind the main one; needed when one is passed to bpf_loop. */
  readonly functions?: readonly number[]
}

/** What the kernel reports about a loaded program; values that an older kernel does not report are 0. */
export interface ProgramInfo {
  readonly id: number
  /** Hash of the instructions, 16 hexadecimal digits. */
  readonly tag: string
  readonly name: string
  readonly jitedSizeBytes: number
  readonly translatedSizeBytes: number
  /** Time of the load since boot. */
  readonly loadTimeNs: number
  /** Counted only while kernel.bpf_stats_enabled is 1. */
  readonly runTimeNs: number
  /** Counted only while kernel.bpf_stats_enabled is 1. */
  readonly runCount: number
  /** Runs skipped because the program was already running on that CPU: lost events. Needs Linux 5.12. */
  readonly recursionMisses: number
  /** Instructions that the verifier walked through. Needs Linux 5.16. */
  readonly verifiedInstructions: number
}

/** Input of `Program.testRun`. */
export interface TestRunInput {
  /** Packet bytes, for programs that take packets: at least 14. */
  readonly packet?: Uint8Array
  /** Bytes of the context, for raw tracepoint and syscall programs. */
  readonly context?: Uint8Array
  readonly repeat?: number
}

/** A program that the kernel accepted; it lives until this object and everything attached are closed. */
export class Program implements Disposable {
  readonly name: string
  readonly type: ProgramType
  readonly fd: Fd
  /** Lines of the verifier's log, empty unless `logLevel` asked for them. */
  readonly verifierLog: readonly string[]

  private constructor(spec: ProgramSpec, fd: Fd, log: readonly string[]) {
    this.name = objectName(spec.name)
    this.type = spec.type
    this.fd = fd
    this.verifierLog = log
  }

  /**
   * Verifies and loads a program.
   *
   * @throws {VerifierError} when the verifier refuses it
   * @throws {KernelError} when bpf(2) refuses for another reason; refusals for want of rights carry advice
   * @throws {RangeError} when `code` is not a whole number of instructions
   */
  static load(spec: ProgramSpec): Program {
    if (spec.code.byteLength === 0 || spec.code.byteLength % 8 !== 0) {
      throw new RangeError(
        `Program "${spec.name}" has ${spec.code.byteLength} bytes of code: instructions are 8 bytes each`,
      )
    }
    // A log costs memory and time, so the first try of a program that should load goes without one.
    const functions = (spec.functions ?? []).length > 0 ? loadFunctionBtf(spec.functions ?? []) : undefined
    try {
      const { result, log } = load(spec, spec.logLevel ?? 0, functions)
      if (result >= 0) {
        return new Program(spec, new Fd(result, `program "${spec.name}"`), log)
      }
      throw loadError(spec, result, log, functions)
    } finally {
      functions?.fd.close()
    }
  }

  /** @throws {KernelError | ClosedError} */
  info(): ProgramInfo {
    const bytes = new Uint8Array(PROG_INFO_SIZE_BYTES)
    const attr = new BpfAttr().u32(0, this.fd.number).u32(4, bytes.byteLength).pointer(8, bytes)
    checked(
      `Cannot inspect program "${this.name}"`,
      'bpf(BPF_OBJ_GET_INFO_BY_FD)',
      bpf(BPF_OBJ_GET_INFO_BY_FD, attr),
    )
    return decodeInfo(bytes)
  }

  /**
   * Runs the program once, or `repeat` times, on input of our own. Socket filters, cgroup and syscall programs;
   * raw tracepoint programs need Linux 5.10.
   *
   * @returns the program's return value, and the average duration in nanoseconds
   * @throws {KernelError} ENOTSUPP (524) when programs of this type cannot be run so
   */
  testRun(input: TestRunInput = {}): { readonly returnValue: number; readonly durationNs: number } {
    const packet = input.packet ?? new Uint8Array(0)
    const context = input.context ?? new Uint8Array(0)
    const attr = new BpfAttr()
      .u32(0, this.fd.number)
      .u32(8, packet.byteLength)
      .pointer(16, packet)
      .u32(32, input.repeat ?? 0)
      .u32(40, context.byteLength)
      .pointer(48, context)
    checked(`Cannot run program "${this.name}"`, 'bpf(BPF_PROG_TEST_RUN)', bpf(BPF_PROG_TEST_RUN, attr))
    return { returnValue: attr.readU32(4), durationNs: attr.readU32(36) }
  }

  /** Closes the descriptor. The program keeps running while a `Link` holds it. */
  close(): void {
    this.fd.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Size of `struct bpf_prog_info` up to verified_insns; older kernels fill less. */
const PROG_INFO_SIZE_BYTES = 224

function decodeInfo(bytes: Uint8Array): ProgramInfo {
  const view = new DataView(bytes.buffer)
  const u32 = (offset: number): number => view.getUint32(offset, true)
  const u64 = (offset: number): number => Number(view.getBigUint64(offset, true))
  return {
    id: u32(4),
    tag: Buffer.from(bytes.subarray(8, 16)).toString('hex'),
    name: Buffer.from(bytes.subarray(64, 80)).toString('latin1').replace(/\0.*$/s, ''),
    jitedSizeBytes: u32(16),
    translatedSizeBytes: u32(20),
    loadTimeNs: u64(40),
    runTimeNs: u64(192),
    runCount: u64(200),
    recursionMisses: u64(208),
    verifiedInstructions: u32(216),
  }
}

type FunctionBtf = ReturnType<typeof loadFunctionBtf>

const FIRST_LOG_SIZE_BYTES = 64 * 1024
const LARGEST_LOG_SIZE_BYTES = 16 * 1024 * 1024

/** Loads with a log buffer that grows until the log fits; level 0 needs none. */
function load(
  spec: ProgramSpec,
  logLevel: number,
  functions?: FunctionBtf,
): { result: Result; log: string[] } {
  if (logLevel === 0) {
    return { result: loadOnce(spec, 0, new Uint8Array(0), functions), log: [] }
  }
  for (let sizeBytes = FIRST_LOG_SIZE_BYTES; ; sizeBytes *= 4) {
    const buffer = new Uint8Array(sizeBytes)
    const result = loadOnce(spec, logLevel, buffer, functions)
    // ENOSPC: the verdict stands but the log did not fit. A full buffer of the largest size is kept as it is.
    if (result !== -constants.errno.ENOSPC || sizeBytes >= LARGEST_LOG_SIZE_BYTES) {
      return { result, log: logLines(buffer) }
    }
  }
}

function logLines(buffer: Uint8Array): string[] {
  const end = buffer.indexOf(0)
  const text = Buffer.from(buffer.buffer, 0, end === -1 ? buffer.byteLength : end).toString('latin1')
  return text.split('\n').filter((line) => line !== '')
}

const LOAD_TRIES = 5

function loadOnce(spec: ProgramSpec, logLevel: number, log: Uint8Array, functions?: FunctionBtf): Result {
  const attr = new BpfAttr()
    .u32(0, spec.type)
    .u32(4, spec.code.byteLength / 8)
    .pointer(8, spec.code)
    .pointer(16, cString(spec.license ?? 'Dual BSD/GPL'))
    .u32(24, logLevel)
    .u32(28, log.byteLength)
    .pointer(32, log)
    .u32(44, spec.flags ?? 0)
    .name(48, spec.name)
    .u32(68, spec.expectedAttachType ?? 0)
    .u32(108, spec.attachBtfId ?? 0)
  if (functions !== undefined) {
    attr
      .u32(72, functions.fd.number)
      .u32(76, FUNCTION_INFO_BYTES)
      .pointer(80, functions.info)
      .u32(88, functions.info.byteLength / FUNCTION_INFO_BYTES)
  }
  // The verifier gives up with EAGAIN as soon as a signal is pending, and a profiler's timer signal comes more
  // often than a large program takes to verify: hold signals back.
  return withSignalsBlocked(() => {
    let result: Result = -constants.errno.EAGAIN
    for (let tries = 0; tries < LOAD_TRIES && result === -constants.errno.EAGAIN; tries += 1) {
      result = withMemlock(() => bpf(BPF_PROG_LOAD, attr))
    }
    return result
  })
}

/** Whether a failed load may be the verifier's verdict, so that asking again for its log makes sense. */
function mayBeVerdict(errno: number): boolean {
  const { EPERM, EAGAIN, ENOMEM, EMFILE, ENFILE, ENOSYS } = constants.errno
  return ![EPERM, EAGAIN, ENOMEM, EMFILE, ENFILE, ENOSYS].includes(errno)
}

function loadError(
  spec: ProgramSpec,
  result: Result,
  log: readonly string[],
  functions?: FunctionBtf,
): Error {
  let lines = log
  let final = result
  if (lines.length === 0 && mayBeVerdict(-result)) {
    const second = load(spec, spec.logLevel === 2 ? 2 : 1, functions)
    lines = second.log
    // The second try may, rarely, succeed; the error is then that of the first.
    if (second.result >= 0) {
      new Fd(second.result, `program "${spec.name}"`).close()
    } else if (second.result !== -constants.errno.ENOSPC) {
      final = second.result
    }
  }
  if (lines.length > 0) {
    return new VerifierError(spec.name, -final, lines, spec.declaration)
  }
  const advice = final === -constants.errno.EPERM ? memlockAdvice() : undefined
  return kernelError(`Cannot load program "${spec.name}"`, 'bpf(BPF_PROG_LOAD)', final, advice)
}
