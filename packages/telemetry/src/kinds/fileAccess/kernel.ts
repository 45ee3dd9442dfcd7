/** Probes of system calls that open files. */

import {
  and,
  at,
  callArgument,
  type CallRegisters,
  claim,
  constant,
  containerOf,
  currentTask,
  eq,
  firstNonZero,
  has,
  ifThen,
  isCall,
  map,
  ne,
  not,
  oneOf,
  or,
  path,
  type PathStruct,
  type Probe,
  probe,
  type Scalar,
  sysExit,
  u32,
  u64,
  userString,
  userStruct,
} from 'quark-ebpf/probe'
import type { Root } from '../../files/selection.js'
import { currentActor } from '../../process/actor.js'
import { fileOf, isNamed, isSuccess, type OpenFile, pathOf } from '../../process/kernel-files.js'
import { isBelow } from '../../process/kernel-places.js'
import type { KernelPlaces } from './places.js'
import { deniedLayout, IS_BELOW_GLOB, IS_PLACED, openedLayout } from './records.js'

const CALLS = ['open', 'openat', 'openat2', 'creat'] as const
const PROC_SUPER_MAGIC = 0x9fa0
const O_ACCMODE = 3
const FMODE_READ_WRITE = 3
const HALF = 0xffff_ffff
const EPERM = 1
const EACCES = 13
/** Pairs of a process and a file that were reported. */
const MAX_REPORTED = 16_384

/** `struct file`, and more of it than others need. */
interface Opened extends OpenFile {
  readonly f_path: OpenFile['f_path'] & { readonly dentry: NamedDentry }
}

interface NamedDentry extends Scalar {
  readonly d_name: OpenFile['f_path']['dentry']['d_name']
  readonly d_parent: { readonly d_inode: { readonly i_ino: Scalar } }
}

interface Inode {
  readonly i_ino: Scalar
  readonly i_generation: Scalar
  readonly i_sb: { readonly s_dev: Scalar; readonly s_magic: Scalar }
}

/** Of /proc: `struct proc_inode`. */
interface ProcInode {
  readonly pid: { readonly numbers: Parameters<typeof at<{ readonly nr: Scalar }>>[0] }
}

interface Task {
  readonly tgid: Scalar
  readonly fs: { readonly pwd: PathStruct; readonly root: PathStruct }
}

/** The process of a file below `/proc/<pid>`, in the first pid namespace. */
function procPid(inode: Scalar): Scalar {
  const { pid } = containerOf<ProcInode>('proc_inode', 'vfs_inode', inode)
  return at(pid.numbers, 0, 1).nr
}

function isAnyNamed(dentry: NamedDentry, names: readonly string[]): Scalar {
  return names.map((name) => isNamed(dentry, name)).reduce((all, one) => or(all, one))
}

function isIn({ i_sb }: Inode, parent: Scalar, roots: readonly Root[]): Scalar {
  return roots
    .map(({ device, inode }) => and(eq(parent, inode), eq(i_sb.s_dev, device)))
    .reduce((all, one) => or(all, one))
}

/** Whether a file is in the directory of another process in /proc, or of a thread of it, wherever that is mounted. */
function isOfProc(inode: Inode, { f_inode, f_path }: Opened, procNames: readonly string[]): Scalar {
  if (procNames.length === 0) return constant(0)
  const pid = procPid(f_inode)
  return and(
    eq(inode.i_sb.s_magic, PROC_SUPER_MAGIC),
    isAnyNamed(f_path.dentry, procNames),
    ne(pid, 0),
    // Many look at themselves.
    ne(pid, currentTask<Task>().tgid),
  )
}

/** Whether a file is asked for by itself, or by a directory above it; of those that are `which`. */
function isPlaced(
  inode: Inode,
  dentry: NamedDentry,
  { below, named }: Pick<KernelPlaces, 'below' | 'named'>,
  which: (root: Root) => boolean = () => true,
): Scalar {
  const ways = named.flatMap(({ names, parents }) => {
    const some = parents.filter(which)
    return some.length === 0
      ? []
      : [and(isIn(inode, dentry.d_parent.d_inode.i_ino, some), isAnyNamed(dentry, names))]
  })
  const directories = below.filter(which)
  if (directories.length > 0) ways.push(isBelow(inode.i_sb.s_dev, dentry, directories))
  return ways.reduce((all, one) => or(all, one), constant(0))
}

/** Whether a file is one of those that were asked for; some are compared once more in user space. */
function isWanted(file: Opened, places: KernelPlaces): Scalar {
  const inode = file.f_inode as unknown as Inode
  const { dentry } = file.f_path
  const { below, globs, named, procNames } = places
  return or(isOfProc(inode, file, procNames), isPlaced(inode, dentry, { below: [...below, ...globs], named }))
}

/** The bits beside those of `f_mode` that say what is certain whatever the path is. */
function marksOf(file: Opened, { below, globs, named, procNames }: KernelPlaces): Scalar {
  const inode = file.f_inode as unknown as Inode
  const { dentry } = file.f_path
  const isOnly = (root: Root): boolean => root.isOnly
  return or(
    ifThen(
      or(isOfProc(inode, file, procNames), isPlaced(inode, dentry, { below, named }, isOnly)),
      IS_PLACED,
    ),
    ifThen(isPlaced(inode, dentry, { below: globs, named: [] }, isOnly), IS_BELOW_GLOB),
  )
}

/** A file was opened; each process and file are reported once. */
function openedProbe(places: KernelPlaces): Probe[] {
  const { below, globs, named, procNames } = places
  if (below.length + globs.length + named.length + procNames.length === 0) return []
  const reported = map({
    name: 'quark_accessed',
    type: 'lruHash',
    key: { startBootNs: u64, inode: u64, device: u32, generation: u32, pid: u32 },
    value: u32,
    maxEntries: MAX_REPORTED,
  })
  const declared = probe(
    { name: 'quark_faccess', record: openedLayout, hook: sysExit(CALLS) },
    (_call, result) => {
      const file = fileOf(result) as Opened
      const inode = file.f_inode as unknown as Inode
      const actor = currentActor()
      const isProc = eq(inode.i_sb.s_magic, PROC_SUPER_MAGIC)
      const identity = { device: inode.i_sb.s_dev, inode: inode.i_ino, generation: inode.i_generation }
      const key = { ...actor, ...identity }
      return {
        when: and(
          isSuccess(result),
          ne(actor.pid, process.pid),
          isWanted(file, places),
          not(has(reported, key)),
        ),
        effects: [claim(reported, key, 0, 1)],
        fill: {
          ...actor,
          ...identity,
          mode: or(and(file.f_mode, FMODE_READ_WRITE), marksOf(file, places)),
          targetPid: ifThen(isProc, procPid(file.f_inode)),
          path: pathOf(file),
        },
        lacks: {
          targetId: 'the path has it',
          callerLevel: 'the path has it',
          targetStartBootNs: 'the file knows the pid alone',
          targetComm: 'the file knows the pid alone',
        },
      }
    },
  )
  return [declared]
}

function flagsOf(call: CallRegisters): Scalar {
  return firstNonZero(
    ifThen(isCall(call, 'openat2'), userStruct(callArgument(call, 2), { flags: u64 }).flags),
    ifThen(isCall(call, 'openat'), callArgument(call, 2)),
    ifThen(isCall(call, 'open'), callArgument(call, 1)),
    ifThen(isCall(call, 'creat'), 1),
  )
}

/** Opening was denied: only the name is known. */
function deniedProbe(): Probe {
  return probe({ name: 'quark_fdenied', record: deniedLayout, hook: sysExit(CALLS) }, (call, result) => {
    const { fs } = currentTask<Task>()
    const named = or(isCall(call, 'openat'), isCall(call, 'openat2'))
    const directory = fileOf(and(ifThen(named, callArgument(call, 0)), HALF))
    const isRelative = and(named, ne(directory.f_path.mnt, 0))
    return {
      when: and(oneOf(result, [-EPERM, -EACCES]), ne(currentActor().pid, process.pid)),
      fill: {
        ...currentActor(),
        result,
        access: and(flagsOf(call), O_ACCMODE),
        base: path(
          {
            mnt: firstNonZero(ifThen(isRelative, directory.f_path.mnt), fs.pwd.mnt),
            dentry: firstNonZero(ifThen(isRelative, directory.f_path.dentry), fs.pwd.dentry),
          },
          fs.root,
        ),
        name: userString(firstNonZero(ifThen(named, callArgument(call, 1)), callArgument(call, 0))),
      },
    }
  })
}

export function accessProbes(places: KernelPlaces): Probe[] {
  return [...openedProbe(places), deniedProbe()]
}
