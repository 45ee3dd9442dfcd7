/**
 * Probes of system calls that change files. Where a call has a descriptor, the file is read from the kernel: which one it
 * is and where it lies is certain. A name is what the process gave; see `namedLayout`.
 */

import {
  add,
  and,
  at,
  callArgument,
  type CallRegisters,
  currentTask,
  eq,
  firstNonZero,
  firstOf,
  has,
  ifThen,
  increase,
  isCall,
  lookup,
  lt,
  map,
  mul,
  ne,
  not,
  oneOf,
  or,
  path,
  type PathStruct,
  probe,
  remove,
  type Scalar,
  store,
  sub,
  sysExit,
  u32,
  u64,
  userString,
  userStruct,
  type Probe,
} from 'quark-ebpf/probe'
import { isBelow } from '../../process/kernel-places.js'
import type { Choice } from './choice.js'
import type { FileTask, Inode, OpenFile } from './kernel-types.js'
import { ifCall, MOVED_CALLS, type Moving, NAMED_CALLS, type Naming } from './name-calls.js'
import {
  closedLayout,
  DID_CHMOD,
  DID_CHOWN,
  DID_CLOSE,
  DID_CREATE,
  DID_MODIFY,
  DID_TRUNCATE,
  DID_UTIMES,
  DID_XATTR,
  doneLayout,
  movedLayout,
  namedLayout,
} from './records.js'
import { PSEUDO_MAGICS } from '../../files/pseudo.js'
import type { KernelSelection } from '../../files/selection.js'

/** Results from here on are errors. */
const FIRST_ERROR = 2n ** 63n
const O_CREAT = 0o100
const O_TRUNC = 0o1000
const FMODE_CREATED = 0x10_0000
const S_IFMT = 0o170000
const S_IFREG = 0o100000
const HALF = 0xffff_ffff

type Call = CallRegisters

const current = (): FileTask => currentTask<FileTask>()
const isDone = (result: Scalar): Scalar => lt(result, FIRST_ERROR)
const isRegular = (inode: Inode): Scalar => eq(and(inode.i_mode, S_IFMT), S_IFREG)
/** What is written by quark itself would be an event, which would be written. */

/** Programs for what is watched: conditions that they all have. */
class Watched {
  readonly #uids: readonly number[] | undefined
  readonly #selection: KernelSelection | undefined

  constructor({ selection, uids }: Choice) {
    this.#uids = uids
    this.#selection = selection.kernel()
  }

  /** What is written by quark itself would be an event, which would be written. */
  process(): Scalar {
    const { tgid, cred } = currentTask<FileTask>()
    const isOther = ne(tgid, process.pid)
    return this.#uids === undefined ? isOther : and(isOther, oneOf(cred.uid.val, this.#uids))
  }

  /** A file that is kept somewhere, and lies below what was asked for. */
  file({ f_inode: inode, f_path }: OpenFile): Scalar {
    const isKept = not(oneOf(inode.i_sb.s_magic, PSEUDO_MAGICS))
    if (this.#selection === undefined) return isKept
    const { roots, devices } = this.#selection
    const { s_dev: device } = inode.i_sb
    return and(isKept, or(not(oneOf(device, devices)), isBelow(device, f_path.dentry, roots)))
  }
}

/** The open file of a descriptor; all members are 0 when there is none. */
function fileOf(descriptor: Scalar): OpenFile {
  const { fd, max_fds: count } = current().files.fdt
  return at(fd, and(descriptor, HALF), count)
}

function nsOf(seconds: Scalar, ns: Scalar): Scalar {
  return add(mul(seconds, 1_000_000_000), ns)
}

/** A file's attributes as they are after the call. */
function attributesOf(inode: Inode) {
  return {
    mode: inode.i_mode,
    uid: inode.i_uid.val,
    gid: inode.i_gid.val,
    links: inode.i_nlink,
    sizeBytes: inode.i_size,
    atimeNs: firstOf(
      nsOf(inode.i_atime_sec, inode.i_atime_nsec),
      nsOf(inode.__i_atime.tv_sec, inode.__i_atime.tv_nsec),
      nsOf(inode.i_atime.tv_sec, inode.i_atime.tv_nsec),
    ),
    mtimeNs: firstOf(
      nsOf(inode.i_mtime_sec, inode.i_mtime_nsec),
      nsOf(inode.__i_mtime.tv_sec, inode.__i_mtime.tv_nsec),
      nsOf(inode.i_mtime.tv_sec, inode.i_mtime.tv_nsec),
    ),
    ctimeNs: firstOf(
      nsOf(inode.i_ctime_sec, inode.i_ctime_nsec),
      nsOf(inode.__i_ctime.tv_sec, inode.__i_ctime.tv_nsec),
      nsOf(inode.i_ctime.tv_sec, inode.i_ctime.tv_nsec),
    ),
  }
}

function identityOf(inode: Inode) {
  return {
    pid: current().tgid,
    device: inode.i_sb.s_dev,
    inode: inode.i_ino,
    generation: inode.i_generation,
  }
}

function doneFill(file: OpenFile, what: Scalar | number) {
  const { f_inode: inode } = file
  return {
    ...identityOf(inode),
    what,
    ...attributesOf(inode),
    path: path(file.f_path, current().fs.root),
  }
}

/** A file was created by opening it, or lost its content. */
function openProbe(watched: Watched) {
  return probe(
    { name: 'quark_fopen', record: doneLayout, hook: sysExit(['open', 'openat', 'openat2', 'creat']) },
    (call, result) => {
      const flags = or(
        ifCall(call, 'open', callArgument(call, 1)),
        ifCall(call, 'openat', callArgument(call, 2)),
        ifCall(call, 'creat', O_CREAT | O_TRUNC),
        ifThen(isCall(call, 'openat2'), userStruct(callArgument(call, 2), { flags: u64 }).flags),
      )
      const file = fileOf(result)
      const isCreated = ne(and(file.f_mode, FMODE_CREATED), 0)
      const isCut = ne(and(flags, O_TRUNC), 0)
      return {
        when: and(
          isDone(result),
          ne(and(flags, O_CREAT | O_TRUNC), 0),
          or(and(ne(and(flags, O_CREAT), 0), isCreated), and(isCut, isRegular(file.f_inode))),
          watched.process(),
          watched.file(file),
        ),
        fill: doneFill(file, firstNonZero(ifThen(isCreated, DID_CREATE), ifThen(isCut, DID_TRUNCATE))),
      }
    },
  )
}

/** The files that processes have written to, by descriptor, until these are closed. */
function writtenMap(maxEntries: number) {
  return map({
    name: 'quark_written',
    type: 'lruHash',
    key: { pid: u32, fd: u32 },
    value: { inode: u64, bytes: u64, device: u32, generation: u32 },
    maxEntries,
  })
}

type WrittenMap = ReturnType<typeof writtenMap>

const WRITES = ['write', 'pwrite64', 'writev', 'pwritev', 'pwritev2', 'sendfile'] as const
const COPIES = ['copy_file_range', 'splice'] as const

/** Bytes were written to a file: which, and whether it was written to by this descriptor before. */
function written(map: WrittenMap, call: Call, result: Scalar) {
  const descriptor = and(
    firstNonZero(
      ifThen(or(isCall(call, 'copy_file_range'), isCall(call, 'splice')), callArgument(call, 2)),
      callArgument(call, 0),
    ),
    HALF,
  )
  const file = fileOf(descriptor)
  const { f_inode: inode } = file
  const key = { pid: current().tgid, fd: descriptor }
  const before = lookup(map, key)
  return {
    file,
    inode,
    key,
    isWritten: and(isDone(result), ne(result, 0), isRegular(inode)),
    isKnown: and(
      eq(before.inode, inode.i_ino),
      eq(before.device, inode.i_sb.s_dev),
      eq(before.generation, inode.i_generation),
    ),
  }
}

/** Only counts. It runs before `writeProbe`. */
function writeAgainProbe(map: WrittenMap) {
  return probe({ name: 'quark_fwrites', hook: sysExit([...WRITES, ...COPIES]) }, (call, result) => {
    const { isWritten, isKnown, key } = written(map, call, result)
    return { when: and(isWritten, isKnown), effects: [increase(map, key, { bytes: result })] }
  })
}

/** The first write by a descriptor. */
function writeProbe(map: WrittenMap, watched: Watched) {
  return probe(
    { name: 'quark_fwrite', record: doneLayout, hook: sysExit([...WRITES, ...COPIES]) },
    (call, result) => {
      const { isWritten, isKnown, key, file, inode } = written(map, call, result)
      return {
        when: and(isWritten, watched.process(), watched.file(file), not(isKnown)),
        effects: [
          store(map, key, {
            inode: inode.i_ino,
            device: inode.i_sb.s_dev,
            generation: inode.i_generation,
            bytes: result,
          }),
        ],
        fill: doneFill(file, DID_MODIFY),
      }
    },
  )
}

/** A descriptor by which a file was written to is closed, or becomes another one. */
function closeProbe(map: WrittenMap) {
  const calls = process.arch === 'x64' ? (['close', 'dup2', 'dup3'] as const) : (['close', 'dup3'] as const)
  return probe({ name: 'quark_fclose', record: closedLayout, hook: sysExit(calls) }, (call, result) => {
    const descriptor = firstNonZero(
      ifCall(call, 'close', add(callArgument(call, 0), 1)),
      add(callArgument(call, 1), 1),
    )
    const key = { pid: current().tgid, fd: and(sub(descriptor, 1), HALF) }
    const { inode, device, generation, bytes } = lookup(map, key)
    return {
      given: and(isDone(result), has(map, key)),
      finally: [remove(map, key)],
      fill: { pid: current().tgid, device, inode, generation, what: DID_CLOSE, writtenBytes: bytes },
    }
  })
}

/** The size or the space of a file is set, or its attributes, by descriptor. */
function changeProbe(watched: Watched) {
  return probe(
    {
      name: 'quark_fchange',
      record: doneLayout,
      hook: sysExit(['ftruncate', 'fallocate', 'fchmod', 'fchown', 'fsetxattr', 'fremovexattr']),
    },
    (call, result) => {
      const file = fileOf(callArgument(call, 0))
      const what = or(
        ifCall(call, 'ftruncate', DID_TRUNCATE),
        ifCall(call, 'fallocate', DID_MODIFY),
        ifCall(call, 'fchmod', DID_CHMOD),
        ifCall(call, 'fchown', DID_CHOWN),
        ifCall(call, 'fsetxattr', DID_XATTR),
        ifCall(call, 'fremovexattr', DID_XATTR),
      )
      return {
        when: and(eq(result, 0), ne(file.f_inode.i_ino, 0), watched.process(), watched.file(file)),
        fill: doneFill(file, what),
      }
    },
  )
}

/** Where a relative name begins: in the directory of a descriptor, else in the working directory. */
function baseOf(descriptor: Scalar | undefined): PathStruct {
  const { pwd } = current().fs
  if (descriptor === undefined) return pwd
  const { f_path } = fileOf(descriptor)
  return {
    mnt: firstNonZero(f_path.mnt, pwd.mnt),
    dentry: firstNonZero(f_path.dentry, pwd.dentry),
  }
}

/** A call with one name that did something. */
function namedProbe({ name, calls, what, argument, descriptor }: Naming, watched: Watched) {
  return probe({ name, record: namedLayout, hook: sysExit(calls) }, (call, result) => ({
    when: and(eq(result, 0), ne(callArgument(call, argument), 0), watched.process()),
    fill: {
      pid: current().tgid,
      what: what(call),
      base: path(
        baseOf(descriptor === undefined ? undefined : callArgument(call, descriptor)),
        current().fs.root,
      ),
      name: userString(callArgument(call, argument)),
    },
  }))
}

/** A call with two names. */
function movedProbe({ name, calls, what, from, to, fromDescriptor, toDescriptor }: Moving, watched: Watched) {
  return probe({ name, record: movedLayout, hook: sysExit(calls) }, (call, result) => ({
    when: and(eq(result, 0), watched.process()),
    fill: {
      pid: current().tgid,
      what: what(call),
      base: path(
        baseOf(fromDescriptor === undefined ? undefined : callArgument(call, fromDescriptor)),
        current().fs.root,
      ),
      toBase: path(
        baseOf(toDescriptor === undefined ? undefined : callArgument(call, toDescriptor)),
        current().fs.root,
      ),
      name: userString(callArgument(call, from)),
      toName: userString(callArgument(call, to)),
    },
  }))
}

/** What futimens(3) sets: utimensat(2) without a name. */
function timesProbe(watched: Watched) {
  return probe(
    { name: 'quark_futimens', record: doneLayout, hook: sysExit(['utimensat']) },
    (call, result) => {
      const file = fileOf(callArgument(call, 0))
      return {
        when: and(
          eq(result, 0),
          eq(callArgument(call, 1), 0),
          ne(file.f_inode.i_ino, 0),
          watched.process(),
          watched.file(file),
        ),
        fill: doneFill(file, DID_UTIMES),
      }
    },
  )
}

/** Descriptors that are written to at the same time. */
const MAX_WRITTEN = 16_384

/** The probes of system calls. */
export function callProbes(choice: Choice): Probe[] {
  const { hasNames, hasContent, hasAttributes } = choice
  const map = writtenMap(MAX_WRITTEN)
  const watched = new Watched(choice)
  const groups = { names: hasNames, content: hasContent, attributes: hasAttributes }
  const isHere = ({ group, isOnX64 = false }: Pick<Naming, 'group' | 'isOnX64'>): boolean =>
    groups[group] && (!isOnX64 || process.arch === 'x64')
  return [
    // Counts before the first write is noted.
    ...(hasContent ? [writeAgainProbe(map), closeProbe(map), writeProbe(map, watched)] : []),
    ...(hasNames || hasContent ? [openProbe(watched)] : []),
    ...(hasContent || hasAttributes ? [changeProbe(watched)] : []),
    ...(hasAttributes ? [timesProbe(watched)] : []),
    ...NAMED_CALLS.filter(isHere).map((call) => namedProbe(call, watched)),
    ...MOVED_CALLS.filter(isHere).map((call) => movedProbe(call, watched)),
  ]
}
