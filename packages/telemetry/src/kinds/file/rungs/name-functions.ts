/**
 * Names by functions of the kernel: what they are called with is the place itself, whatever a process called it, and
 * whoever asked for it. What was done is known at their return.
 */

import {
  and,
  type ArgumentType,
  cast,
  constant,
  currentPidTgid,
  eq,
  firstNonZero,
  firstOf,
  has,
  ifThen,
  int,
  kernelString,
  lookup,
  lt,
  map,
  named,
  ne,
  optional,
  pair,
  pointer,
  type Probe,
  probe,
  remove,
  type Scalar,
  store,
  struct,
  u32,
  u64,
} from 'quark-ebpf/probe'
import type { Dentry, Inode, RenameData } from '../kernel-types.js'
import {
  DID_CREATE,
  DID_EXCHANGE,
  DID_LINK,
  DID_MKDIR,
  DID_MKNOD,
  DID_MOVE,
  DID_REMOVE,
  DID_RMDIR,
  DID_SYMLINK,
  movedLayout,
  movingLayout,
  namedLayout,
} from '../records.js'
import { addressOf, attributesOf, current, S_IFMT, type Watched } from './common.js'
import {
  dentryAt,
  entryOf,
  exitOf,
  type FunctionHook,
  isMountOf,
  MAX_CALLS,
  type MountMap,
  mountOf,
  pairName,
  placeOf,
} from './hooks.js'
import { type ContentMaps, createdProbe } from './content-functions.js'

const RENAME_EXCHANGE = 2
/** Of an inode: its directory has been removed. */
const S_DEAD = 0x10
const S_IFDIR = 0o040000
const PF_KTHREAD = 0x20_0000
/** Addresses from here on are errors. */
const FIRST_ERROR = 2n ** 64n - 4095n

/** What the entry of a function keeps for its return. */
const kept = { dentry: u64, mnt: u64, inode: u64, number: u64, generation: u32 } as const

const CODE = int('result', 4)
const dentryArgument = (...names: readonly [string, ...string[]]): ArgumentType<Dentry> =>
  named(struct<Dentry>('dentry', names[0]), ...names.slice(1))

/** A file, and its attributes, where the kernel has them. `what` has the mark of what lies below. */
function exactFill(what: Scalar | number, { d_sb }: Dentry, inode: Inode) {
  return {
    pid: current().tgid,
    device: d_sb.s_dev,
    inode: inode.i_ino,
    generation: inode.i_generation,
    what,
    isExact: 1,
    ...attributesOf(inode),
  }
}

const NO_NAME = kernelString(constant(0))

/** What is kept of a place when a function begins to change it. */
function begun(dentry: Dentry, mounts: MountMap, watched: Watched) {
  const mnt = mountOf(mounts)
  const { d_sb, d_inode } = dentry
  return {
    when: and(
      watched.process(),
      isMountOf(mnt, dentry),
      watched.kept(d_sb),
      watched.below(d_sb, addressOf(dentry)),
    ),
    keep: {
      dentry: addressOf(dentry),
      mnt,
      inode: addressOf(d_inode),
      number: d_inode.i_ino,
      generation: d_inode.i_generation,
    },
  }
}

interface Making {
  /** Two letters. */
  readonly name: string
  readonly target: string
  readonly what: Scalar | number
}

/** What is made has an inode at the return. */
function makingPair(by: FunctionHook, { name, target, what }: Making, mounts: MountMap, watched: Watched) {
  // Since Linux 6.15 mkdir returns the directory.
  const returns = [optional(CODE), optional(struct<Dentry>('dentry', 'made'))] as const
  return pair(
    {
      name: pairName(by, name),
      entry: entryOf(by, target, [dentryArgument('dentry')]),
      exit: exitOf(by, target, ...returns),
      kept,
      record: namedLayout,
      maxEntries: MAX_CALLS,
    },
    (dentry) => begun(dentry, mounts, watched),
    ({ dentry, mnt }, code, made) => {
      const place = firstOf(ifThen(eq(code, 0), dentry), addressOf(made))
      const at = dentryAt(place)
      return {
        when: firstOf(eq(code, 0), and(ne(addressOf(made), 0), lt(addressOf(made), FIRST_ERROR))),
        fill: {
          ...exactFill(watched.marked(what, at.d_sb, place), at, at.d_inode),
          base: placeOf(mnt, place),
          name: NO_NAME,
        },
      }
    },
  )
}

/** What is removed has one at the entry only. */
function removingPair(by: FunctionHook, { name, target, what }: Making, mounts: MountMap, watched: Watched) {
  return pair(
    {
      name: pairName(by, name),
      entry: entryOf(by, target, [dentryArgument('dentry')]),
      exit: exitOf(by, target, CODE),
      kept,
      record: namedLayout,
      maxEntries: MAX_CALLS,
    },
    (dentry) => begun(dentry, mounts, watched),
    ({ dentry, mnt, inode, number, generation }, code) => {
      const at = dentryAt(dentry)
      return {
        when: eq(code, 0),
        fill: {
          // It is still in memory: what holds it lets go after this.
          ...exactFill(watched.marked(what, at.d_sb, dentry), at, cast<Inode>('inode', inode)),
          inode: number,
          generation,
          base: placeOf(mnt, dentry),
          name: NO_NAME,
        },
      }
    },
  )
}

/**
 * The kernel forgets the name of a directory that has been removed: where nothing can be hooked at which removing ends, as
 * compilers have built half of it into its callers.
 */
function deadProbe(by: FunctionHook, mounts: MountMap, watched: Watched): Probe {
  const hook = entryOf(by, 'd_delete', [dentryArgument('dentry')])
  return probe({ name: `${pairName(by, 'dd')}_in`, hook, record: namedLayout }, (dentry) => {
    const mnt = mountOf(mounts)
    const { d_inode: inode, d_sb } = dentry
    const place = addressOf(dentry)
    return {
      when: and(
        ne(and(inode.i_flags, S_DEAD), 0),
        eq(and(inode.i_mode, S_IFMT), S_IFDIR),
        watched.process(),
        isMountOf(mnt, dentry),
        watched.kept(d_sb),
        watched.below(d_sb, place),
      ),
      fill: {
        ...exactFill(watched.marked(DID_RMDIR, d_sb, place), dentry, inode),
        base: placeOf(mnt, place),
        name: NO_NAME,
      },
    }
  })
}

/** A file gets another name. */
function linkPair(by: FunctionHook, mounts: MountMap, watched: Watched) {
  const args = [dentryArgument('old_dentry'), dentryArgument('new_dentry')] as const
  return pair(
    {
      name: pairName(by, 'ln'),
      entry: entryOf(by, 'vfs_link', args),
      exit: exitOf(by, 'vfs_link', CODE),
      kept: { ...kept, old: u64 },
      record: movedLayout,
      maxEntries: MAX_CALLS,
    },
    (old, made) => {
      const { when, keep } = begun(made, mounts, watched)
      return { when, keep: { ...keep, old: addressOf(old) } }
    },
    ({ dentry, mnt, old }, code) => ({
      when: eq(code, 0),
      fill: {
        ...exactFill(
          watched.marked(DID_LINK, dentryAt(old).d_sb, dentry),
          dentryAt(old),
          dentryAt(old).d_inode,
        ),
        base: placeOf(mnt, old),
        toBase: placeOf(mnt, dentry),
        name: NO_NAME,
        toName: NO_NAME,
      },
    }),
  )
}

function symlinkPair(by: FunctionHook, mounts: MountMap, watched: Watched) {
  const args = [dentryArgument('dentry'), named(pointer('oldname'))] as const
  return pair(
    {
      name: pairName(by, 'sl'),
      entry: entryOf(by, 'vfs_symlink', args),
      exit: exitOf(by, 'vfs_symlink', CODE),
      kept: { ...kept, old: u64 },
      record: movedLayout,
      maxEntries: MAX_CALLS,
    },
    (dentry, target) => {
      const { when, keep } = begun(dentry, mounts, watched)
      return { when, keep: { ...keep, old: target } }
    },
    ({ dentry, mnt, old }, code) => ({
      when: eq(code, 0),
      fill: {
        ...exactFill(
          watched.marked(DID_SYMLINK, dentryAt(dentry).d_sb, dentry),
          dentryAt(dentry),
          dentryAt(dentry).d_inode,
        ),
        base: placeOf(constant(0), constant(0)),
        toBase: placeOf(mnt, dentry),
        name: kernelString(old),
        toName: NO_NAME,
      },
    }),
  )
}

/**
 * A file is moved: where it was is a record of its own, as that is not known any more at the return. Which of the two places
 * is watched is found out afterwards.
 */
function renameProbes(by: FunctionHook, mounts: MountMap, watched: Watched): Probe[] {
  const calls = map({
    name: `${pairName(by, 'mv')}_calls`,
    type: 'lruHash',
    key: u64,
    value: { dentry: u64, mnt: u64, flags: u32 },
    maxEntries: MAX_CALLS,
  })
  const thread = currentPidTgid()
  const entry = probe(
    {
      name: `${pairName(by, 'mv')}_in`,
      hook: entryOf(by, 'vfs_rename', [named(struct<RenameData>('renamedata', 'rd'))]),
      record: movingLayout,
    },
    ({ old_dentry: dentry, flags }) => {
      const mnt = mountOf(mounts)
      const { d_inode: inode, d_sb } = dentry
      return {
        when: and(watched.process(), isMountOf(mnt, dentry), watched.kept(d_sb)),
        effects: [store(calls, thread, { dentry: addressOf(dentry), mnt, flags })],
        fill: {
          pid: current().tgid,
          device: d_sb.s_dev,
          inode: inode.i_ino,
          generation: inode.i_generation,
          what: watched.markedIfBelow(DID_MOVE, d_sb, addressOf(dentry)),
          path: placeOf(mnt, addressOf(dentry)),
        },
      }
    },
  )
  const exit = probe(
    { name: `${pairName(by, 'mv')}_out`, hook: exitOf(by, 'vfs_rename', CODE), record: movedLayout },
    (code) => {
      const { dentry, mnt, flags } = lookup(calls, thread)
      const at = dentryAt(dentry)
      const what = firstNonZero(ifThen(ne(and(flags, RENAME_EXCHANGE), 0), DID_EXCHANGE), constant(DID_MOVE))
      return {
        given: has(calls, thread),
        finally: [remove(calls, thread)],
        when: eq(code, 0),
        fill: {
          ...exactFill(watched.markedIfBelow(what, at.d_sb, dentry), at, at.d_inode),
          base: placeOf(constant(0), constant(0)),
          toBase: placeOf(mnt, dentry),
          name: NO_NAME,
          toName: NO_NAME,
        },
      }
    },
  )
  return [exit, entry]
}

/**
 * The sets of probes of names, the best one first; in each the ends of calls first, so that nothing begins that is not
 * seen to end.
 *
 * @param maps undefined if nothing is to be said of what is written
 */
export function nameFunctions(
  by: FunctionHook,
  mounts: MountMap,
  maps: ContentMaps | undefined,
  watched: Watched,
): Probe[][] {
  // What servers in the kernel make is made as by open(2); else it was mknod(2).
  const byMknod = firstNonZero(
    ifThen(ne(and(current().flags, PF_KTHREAD), 0), DID_CREATE),
    constant(DID_MKNOD),
  )
  const pairs = [
    makingPair(by, { name: 'cr', target: 'vfs_create', what: byMknod }, mounts, watched),
    makingPair(by, { name: 'mn', target: 'vfs_mknod', what: DID_MKNOD }, mounts, watched),
    makingPair(by, { name: 'md', target: 'vfs_mkdir', what: DID_MKDIR }, mounts, watched),
    removingPair(by, { name: 'ul', target: 'vfs_unlink', what: DID_REMOVE }, mounts, watched),
    linkPair(by, mounts, watched),
    symlinkPair(by, mounts, watched),
  ]
  const removed = removingPair(by, { name: 'rd', target: 'vfs_rmdir', what: DID_RMDIR }, mounts, watched)
  const others = [
    ...pairs.flatMap(({ exit, entry }): Probe[] => [exit, entry]),
    ...renameProbes(by, mounts, watched),
    createdProbe(by, maps, watched),
  ]
  return [
    [removed.exit, removed.entry, ...others],
    [deadProbe(by, mounts, watched), ...others],
  ]
}
