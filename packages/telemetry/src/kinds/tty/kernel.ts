/** What fills the records of terminals in the kernel. */

import {
  add,
  and,
  type ArgumentsOf,
  type ArgumentType,
  at,
  callArgument,
  type CallRegisters,
  cast,
  constant,
  currentTask,
  enumValue,
  eq,
  fentry,
  fexit,
  firstNonZero,
  firstOf,
  type Hook,
  ifThen,
  inTask,
  int,
  kernelIovec,
  kernelString,
  kprobe,
  kretprobe,
  lt,
  type MapOperands,
  ne,
  not,
  oneOf,
  or,
  pair,
  type Probe,
  probe,
  type Scalar,
  shiftRight,
  struct,
  sysExit,
  type TailSource,
  u64,
  userBytes,
  userIovec,
  userValue,
  type Value,
  notPartlyInlined,
} from 'quark-ebpf/probe'
import type { Dentry, File, IovIter, Kiocb, Tty, TtyFile, TtyTask } from './kernel-types.js'
import { ORIGIN_TYPED, ttyLayout } from './records.js'
import type { Own } from './own.js'

/** What the probes depend on. */
export interface TtyProbeSettings {
  /** Most bytes of one write that are captured. */
  readonly maxBytes: number
  readonly own: Own
}

/** Majors of the masters of pseudo-terminals, and of their slaves (Documentation/admin-guide/devices.txt of Linux). */
const MASTERS = [2, 128, 129, 130, 131, 132, 133, 134, 135]
const PTS = [136, 137, 138, 139, 140, 141, 142, 143]
/** Of device files whose open files are terminals: consoles and serial lines, /dev/tty and /dev/ptmx, and pseudo-terminals. */
const TTY_MAJORS = [2, 3, 4, 5, ...PTS, 166, 188, 204, 229]
/** `c_lflag` (include/uapi/asm-generic/termbits.h). */
const ECHO = 0o10
const EXTPROC = 0o200000
const S_IFMT = 0o170000
const S_IFCHR = 0o020000
/** Bits of the minor in a device number of the kernel. */
const MINOR_BITS = 20
/** A bit of `iov_iter.type`, until 5.13. */
const ITER_IOVEC_OF_OLD = 4
/** Threads that write at once. */
const MAX_WRITERS = 4096
/** Results from here on are negative. */
const NEGATIVE = 1n << 63n

/** The side at which programs run. */
function slaveOf(address: Scalar): { readonly tty: Tty; readonly isMaster: Scalar } {
  const opened = cast<Tty>('tty_struct', address)
  const isMaster = oneOf(opened.driver.major, MASTERS)
  return {
    tty: cast<Tty>('tty_struct', firstNonZero(ifThen(isMaster, opened.link), address)),
    isMaster,
  }
}

/** The running process is one of these: by pids of this process's pid namespace, whichever that is. */
function isOneOf(pids: readonly number[], { pidNs }: Own): Scalar {
  const { numbers, level } = currentTask<TtyTask>().group_leader.thread_pid
  const number = at(numbers, level, add(level, 1))
  return and(oneOf(number.nr, pids), eq(number.ns.ns.inum, pidNs))
}

/**
 * Whether a write is wanted: it shows something, is none of this process's, nor of who shows what this process writes. What
 * is typed is shown only where the terminal echoes it.
 */
function isWanted({ tty, isMaster }: ReturnType<typeof slaveOf>, { own }: TtyProbeSettings): Scalar {
  const isEchoed = eq(and(tty.termios.c_lflag, ECHO | EXTPROC), ECHO)
  const relays = own.relays.length === 0 ? [] : [or(isMaster, not(isOneOf(own.relays, own)))]
  return [or(not(isMaster), isEchoed), not(isOneOf([own.pid], own)), ...relays].reduce((all, one) =>
    and(all, one),
  )
}

function hasWritten(result: Scalar): Scalar {
  return and(ne(result, 0), lt(result, NEGATIVE))
}

/** All of the record but what was written. */
function terminalFill(tty: Tty, isMaster: Scalar) {
  const { driver, termios, winsize } = tty
  return {
    pid: currentTask<TtyTask>().tgid,
    ttyMajor: driver.major,
    ttyMinor: add(driver.minor_start, tty.index),
    devpts: ifThen(oneOf(driver.major, PTS), cast<Dentry>('dentry', tty.driver_data).d_sb.s_dev),
    origin: ifThen(isMaster, ORIGIN_TYPED),
    columns: winsize.ws_col,
    rows: winsize.ws_row,
    inputFlags: termios.c_iflag,
    outputFlags: termios.c_oflag,
    controlFlags: termios.c_cflag,
    localFlags: termios.c_lflag,
    driver: kernelString(firstNonZero(driver.driver_name, driver.name)),
  }
}

/** A file that is a terminal. */
function ttyOf(file: File): Scalar {
  return cast<TtyFile>('tty_file_private', file.private_data).tty
}

/** How the function is hooked. */
export type FunctionHook = 'fentry' | 'kprobe'

const FUNCTION = 'tty_write'

function entryHook<const A extends readonly ArgumentType<Value>[]>(by: FunctionHook, args: A): Hook<A> {
  return notPartlyInlined(inTask(by === 'fentry' ? fentry(FUNCTION, args) : kprobe(FUNCTION, args)))
}

/** What the entry of the function keeps for its return. */
const kept = { tty: u64, iovecs: u64, count: u64, start: u64, length: u64 } as const

/** The pages are in memory when the function has returned, so that the bytes are read then. */
function pairOf<const A extends readonly ArgumentType<Value>[]>(
  by: FunctionHook,
  settings: TtyProbeSettings,
  entry: Hook<A>,
  keep: (...args: ArgumentsOf<A>) => MapOperands<typeof kept> & { readonly tty: Scalar },
): Probe[] {
  const result = int('result', 8)
  const exit = notPartlyInlined(
    inTask(by === 'fentry' ? fexit(FUNCTION, [], result) : kretprobe(FUNCTION, result)),
  ) as Hook<readonly [typeof result]>
  const probes = pair(
    // Where one rung fails, the next has a map of its own.
    {
      name: by === 'fentry' ? 'quark_tty' : 'quark_kty',
      entry,
      exit,
      kept,
      record: ttyLayout,
      maxEntries: MAX_WRITERS,
    },
    (...args) => {
      const found = keep(...args)
      return { when: isWanted(slaveOf(found.tty), settings), keep: found }
    },
    (begun, written) => {
      const { tty, isMaster } = slaveOf(begun.tty)
      return {
        given: hasWritten(written),
        fill: {
          ...terminalFill(tty, isMaster),
          givenBytes: begun.length,
          writtenBytes: written,
          data: kernelIovec({ ...begun, address: begun.iovecs }, settings.maxBytes),
        },
      }
    },
  )
  return [probes.exit, probes.entry]
}

/** A `struct iov_iter` says where the bytes are: since Linux 5.11, and later releases of 5.10. */
export function functionProbes(by: FunctionHook, settings: TtyProbeSettings): Probe[] {
  const entry = entryHook(by, [struct<Kiocb>('kiocb', 'iocb'), struct<IovIter>('iov_iter', 'from')])
  return pairOf(by, settings, entry, (iocb, from) => {
    const isOne = firstOf(eq(from.iter_type, enumValue('iter_type', 'ITER_UBUF')), constant(0))
    const isSeveral = firstOf(
      eq(from.iter_type, enumValue('iter_type', 'ITER_IOVEC')),
      eq(and(from.type, ITER_IOVEC_OF_OLD), ITER_IOVEC_OF_OLD),
    )
    return {
      tty: ttyOf(iocb.ki_filp),
      iovecs: ifThen(isSeveral, firstOf(from.__iov, from.iov)),
      count: firstNonZero(isOne, ifThen(isSeveral, from.nr_segs)),
      start: firstOf(ifThen(isOne, from.ubuf), constant(0)),
      length: from.count,
    }
  })
}

/** The file of a descriptor; of a closed one all members are 0. */
function fileOf(fd: Scalar): File {
  const { fd: files, max_fds: count } = currentTask<TtyTask>().files.fdt
  return at(files, fd, count)
}

/** A system call that writes has returned. */
function callProbe(
  settings: TtyProbeSettings,
  call: 'write' | 'writev',
  given: (call: CallRegisters) => { readonly bytes: Scalar; readonly data: TailSource<'bytes'> },
): Probe {
  const name = call === 'write' ? 'quark_tty_call' : 'quark_tty_callv'
  return probe({ name, hook: sysExit([call]), record: ttyLayout }, (registers, written) => {
    const file = fileOf(callArgument(registers, 0))
    const { i_mode: mode, i_rdev: device } = file.f_inode
    const { tty, isMaster } = slaveOf(ttyOf(file))
    const { bytes, data } = given(registers)
    return {
      when: and(
        hasWritten(written),
        eq(and(mode, S_IFMT), S_IFCHR),
        oneOf(shiftRight(device, MINOR_BITS), TTY_MAJORS),
        ne(tty.driver.major, 0),
        isWanted({ tty, isMaster }, settings),
      ),
      fill: { ...terminalFill(tty, isMaster), givenBytes: bytes, writtenBytes: written, data },
    }
  })
}

/** Pieces of writev(2) that are read. */
const PIECES = Array.from({ length: 8 }, (_, index) => index)
/** `struct iovec`, and where its length is. */
const IOVEC_BYTES = 16
const IOVEC_LENGTH = 8

/** Bytes of the pieces of writev(2); more pieces than are read are cut. */
function piecesBytes(address: Scalar, count: Scalar): Scalar {
  return PIECES.map((index) => {
    return ifThen(lt(index, count), userValue(address, index * IOVEC_BYTES + IOVEC_LENGTH, 8))
  }).reduce((sum, bytes) => add(sum, bytes))
}

/** The system calls, where no function can be hooked. */
export function callProbes(settings: TtyProbeSettings): Probe[] {
  const { maxBytes } = settings
  return [
    callProbe(settings, 'write', (call) => {
      const start = callArgument(call, 1)
      const bytes = callArgument(call, 2)
      return { bytes, data: userBytes(start, add(start, bytes), maxBytes) }
    }),
    callProbe(settings, 'writev', (call) => {
      const [address, count] = [callArgument(call, 1), callArgument(call, 2)]
      return { bytes: piecesBytes(address, count), data: userIovec(address, count, maxBytes) }
    }),
  ]
}
