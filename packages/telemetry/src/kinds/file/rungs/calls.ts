/**
 * Probes of system calls that change files. Where a call has a descriptor, the file is read from the kernel: which one it
 * is and where it lies is certain. A name is what the process gave; see `namedLayout`.
 */

import {
  add,
  and,
  callArgument,
  type CallRegisters,
  constant,
  eq,
  firstNonZero,
  has,
  ifThen,
  isCall,
  lookup,
  ne,
  or,
  path,
  type PathStruct,
  type Probe,
  probe,
  remove,
  type Scalar,
  sub,
  sysExit,
  u64,
  userString,
  userStruct,
} from 'quark-ebpf/probe'
import type { Choice } from '../choice.js'
import { ifCall, MOVED_CALLS, type Moving, NAMED_CALLS, type Naming } from '../name-calls.js'
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
} from '../records.js'
import {
  current,
  doneFill,
  fileOf,
  FMODE_CREATED,
  HALF,
  isDone,
  isRegular,
  isWritable,
  type Watched,
} from './common.js'
import { markOf, noteWritten, type WrittenKey, type WrittenMap, writeProbes, writtenMap } from './writes.js'

const O_CREAT = 0o100
const O_TRUNC = 0o1000
/** Of what is closed: it was written to. */
export const DID_WRITE = DID_MODIFY | DID_CLOSE
const OPENS = ['open', 'openat', 'openat2', 'creat'] as const

type Call = CallRegisters

/** A call with a name does not know the file: `isExact` says so. */
const NAME_ALONE = {
  device: 0,
  inode: 0,
  generation: 0,
  isExact: 0,
  mode: 0,
  uid: 0,
  gid: 0,
  links: 0,
  sizeBytes: 0,
  atimeNs: 0,
  mtimeNs: 0,
  ctimeNs: 0,
} as const

function openFlags(call: Call): Scalar {
  return or(
    ifCall(call, 'open', callArgument(call, 1)),
    ifCall(call, 'openat', callArgument(call, 2)),
    ifCall(call, 'creat', O_CREAT | O_TRUNC),
    ifThen(isCall(call, 'openat2'), userStruct(callArgument(call, 2), { flags: u64 }).flags),
  )
}

/**
 * A file was created by opening it. That it is written to is said when it is closed.
 *
 * @param map undefined if nothing is to be said of that
 */
function createProbe(map: WrittenMap | undefined, watched: Watched): Probe {
  return probe({ name: 'quark_fopen', record: doneLayout, hook: sysExit(OPENS) }, (call, result) => {
    const file = fileOf(result)
    return {
      when: and(
        isDone(result),
        ne(and(openFlags(call), O_CREAT), 0),
        ne(and(file.f_mode, FMODE_CREATED), 0),
        watched.process(),
        watched.file(file),
      ),
      effects:
        map === undefined
          ? []
          : [noteWritten(map, { at: and(result, HALF), pid: current().tgid }, file.f_inode, 0)],
      fill: doneFill(file, DID_CREATE, watched),
    }
  })
}

/** A file that was there lost its content by being opened. */
function cutProbe(watched: Watched): Probe {
  return probe({ name: 'quark_fcut', record: doneLayout, hook: sysExit(OPENS) }, (call, result) => {
    const file = fileOf(result)
    return {
      when: and(
        isDone(result),
        ne(and(openFlags(call), O_TRUNC), 0),
        eq(and(file.f_mode, FMODE_CREATED), 0),
        isRegular(file.f_inode),
        watched.process(),
        watched.file(file),
      ),
      fill: doneFill(file, DID_TRUNCATE, watched),
    }
  })
}

const byDescriptor: WrittenKey = (_file, descriptor) => descriptor

/**
 * What was written by a descriptor that is no longer of that file. While it is, the file is not closed: another thread
 * has opened it again by the same number.
 */
function leftAs(map: WrittenMap, descriptor: Scalar) {
  const key = { at: and(descriptor, HALF), pid: current().tgid }
  const { mark, inode, device, generation, bytes, isIgnored } = lookup(map, key)
  return {
    given: and(has(map, key), ne(mark, markOf(fileOf(descriptor).f_inode))),
    finally: [remove(map, key)],
    when: and(ne(bytes, 0), eq(isIgnored, 0)),
    fill: { pid: current().tgid, device, inode, generation, what: DID_WRITE, writtenBytes: bytes },
  }
}

/** A descriptor by which a file was written to is closed, also where that reports an error, or becomes another one. */
function closeProbe(map: WrittenMap): Probe {
  const calls = process.arch === 'x64' ? (['close', 'dup2', 'dup3'] as const) : (['close', 'dup3'] as const)
  return probe({ name: 'quark_fclose', record: closedLayout, hook: sysExit(calls) }, (call) =>
    leftAs(
      map,
      sub(
        firstNonZero(ifCall(call, 'close', add(callArgument(call, 0), 1)), add(callArgument(call, 1), 1)),
        1,
      ),
    ),
  )
}

/**
 * The kernel gives a descriptor away again before the call that closed it returns. What another thread opens by it in
 * that time must not be taken for the file that was written to.
 */
function reusedProbe(map: WrittenMap): Probe {
  return probe({ name: 'quark_freuse', record: closedLayout, hook: sysExit(OPENS) }, (_call, result) => {
    const { given, ...rest } = leftAs(map, result)
    return { ...rest, given: and(isDone(result), ne(current().signal.nr_threads, 1), given) }
  })
}

/** What calls with a descriptor do, by the name of their program. */
const CHANGES = {
  quark_fsize: { ftruncate: DID_TRUNCATE, fallocate: DID_MODIFY },
  quark_fchange: { fchmod: DID_CHMOD, fchown: DID_CHOWN },
  quark_fspace: { fallocate: DID_MODIFY },
  quark_ffxattr: { fsetxattr: DID_XATTR, fremovexattr: DID_XATTR },
} as const

/** Of those, what is done to descriptors that are open for writing alone. */
const WRITING: readonly (keyof typeof CHANGES)[] = ['quark_fsize', 'quark_fspace']

type ChangeCall = 'ftruncate' | 'fallocate' | 'fchmod' | 'fchown' | 'fsetxattr' | 'fremovexattr'

/** The size or the space of a file is set, or its attributes, by descriptor. */
function changeProbe(name: keyof typeof CHANGES, watched: Watched): Probe {
  const entries = Object.entries(CHANGES[name]) as [ChangeCall, number][]
  const calls = entries.map(([call]) => call) as [ChangeCall, ...ChangeCall[]]
  return probe({ name, record: doneLayout, hook: sysExit(calls) }, (call, result) => {
    const file = fileOf(callArgument(call, 0))
    const bits = entries.map(([of, bit]) => ifCall(call, of, bit))
    return {
      when: and(
        eq(result, 0),
        ne(file.f_inode.i_ino, 0),
        watched.process(),
        WRITING.includes(name) ? isWritable(file) : constant(1),
        watched.file(file),
      ),
      fill: doneFill(
        file,
        bits.reduce((all, bit) => or(all, bit)),
        watched,
      ),
    }
  })
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
function namedProbe(
  { name, calls, what, argument, descriptor }: Naming,
  watched: Watched,
  only?: (call: Call) => Scalar,
): Probe {
  return probe({ name, record: namedLayout, hook: sysExit(calls) }, (call, result) => ({
    when: and(
      eq(result, 0),
      ne(callArgument(call, argument), 0),
      ...(only === undefined ? [] : [only(call)]),
      watched.process(),
    ),
    fill: {
      ...NAME_ALONE,
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
function movedProbe(
  { name, calls, what, from, to, fromDescriptor, toDescriptor }: Moving,
  watched: Watched,
): Probe {
  return probe({ name, record: movedLayout, hook: sysExit(calls) }, (call, result) => ({
    when: and(eq(result, 0), watched.process()),
    fill: {
      ...NAME_ALONE,
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
function timesProbe(watched: Watched): Probe {
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
        fill: doneFill(file, DID_UTIMES, watched),
      }
    },
  )
}

function isHere({ isOnX64 = false }: Pick<Naming, 'isOnX64'>): boolean {
  return !isOnX64 || process.arch === 'x64'
}

/** The programs of calls with names, of a group or of one name; `only` of those that are meant. */
export function namedProbes(of: string, watched: Watched, only?: (call: Call) => Scalar): Probe[] {
  return NAMED_CALLS.filter((call) => isHere(call) && (call.group === of || call.name === of)).map((call) =>
    namedProbe(call, watched, only),
  )
}

/** Space that is given to files, and taken from them. */
export function spaceProbe(watched: Watched): Probe {
  return changeProbe('quark_fspace', watched)
}

/** Extended attributes by descriptor. */
export function xattrProbe(watched: Watched): Probe {
  return changeProbe('quark_ffxattr', watched)
}

/** The probes of system calls, by fact. */
export function callProbes(watched: Watched, { hasContent }: Choice) {
  const map = writtenMap('descriptor')
  return {
    names: [
      // What a descriptor was of is looked for before it is noted as that of another file.
      ...(hasContent ? [reusedProbe(map)] : []),
      createProbe(hasContent ? map : undefined, watched),
      ...namedProbes('names', watched),
      ...MOVED_CALLS.filter(isHere).map((call) => movedProbe(call, watched)),
    ],
    // What is closed is looked for before a first write is noted.
    content: [
      closeProbe(map),
      ...writeProbes(map, byDescriptor, watched),
      cutProbe(watched),
      changeProbe('quark_fsize', watched),
      ...namedProbes('content', watched),
    ],
    attributes: [
      changeProbe('quark_fchange', watched),
      xattrProbe(watched),
      timesProbe(watched),
      ...namedProbes('attributes', watched),
    ],
  }
}
