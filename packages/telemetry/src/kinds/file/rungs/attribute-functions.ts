/** Attributes by functions of the kernel: what is set is known at their entry, and whether it was at their return. */

import {
  and,
  constant,
  eq,
  firstNonZero,
  ifThen,
  int,
  named,
  ne,
  or,
  pair,
  type Probe,
  type Scalar,
  struct,
  u32,
  u64,
} from 'quark-ebpf/probe'
import type { Attributes, Dentry } from '../kernel-types.js'
import { DID_CHMOD, DID_CHOWN, DID_TRUNCATE, DID_UTIMES, DID_XATTR, doneLayout } from '../records.js'
import { addressOf, attributesOf, current, type Watched } from './common.js'
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

/** include/linux/fs.h: which attributes are set, and how it came to that. */
const ATTR_MODE = 1 << 0
const ATTR_UID = 1 << 1
const ATTR_GID = 1 << 2
const ATTR_SIZE = 1 << 3
const ATTR_ATIME = 1 << 4
const ATTR_MTIME = 1 << 5
const ATTR_FILE = 1 << 13

const kept = { dentry: u64, mnt: u64, what: u32 } as const
const CODE = int('result', 4)

function isSet(valid: Scalar, bits: number): Scalar {
  return ne(and(valid, bits), 0)
}

function begun(dentry: Dentry, mnt: Scalar, what: Scalar | number, watched: Watched) {
  return {
    when: and(
      ne(what as Scalar, 0),
      watched.process(),
      isMountOf(mnt, dentry),
      watched.kept(dentry.d_sb),
      watched.below(dentry.d_sb, addressOf(dentry)),
    ),
    keep: {
      dentry: addressOf(dentry),
      mnt,
      what: watched.marked(what, dentry.d_sb, addressOf(dentry)) as Scalar,
    },
  }
}

/** Attributes are as they were set. */
function doneAt(dentry: Scalar, mnt: Scalar, what: Scalar) {
  const { d_sb, d_inode: inode } = dentryAt(dentry)
  return {
    pid: current().tgid,
    device: d_sb.s_dev,
    inode: inode.i_ino,
    generation: inode.i_generation,
    what,
    ...attributesOf(inode),
    path: placeOf(mnt, dentry),
  }
}

/** Attributes of an inode are set; `whatOf` is 0 of those that are not wanted. */
function settingProbes(
  by: FunctionHook,
  letters: string,
  whatOf: (valid: Scalar) => Scalar,
  mounts: MountMap,
  watched: Watched,
): Probe[] {
  const args = [
    named(struct<Dentry>('dentry', 'dentry')),
    named(struct<Attributes>('iattr', 'attr')),
  ] as const
  const { entry, exit } = pair(
    {
      name: pairName(by, letters),
      entry: entryOf(by, 'notify_change', args),
      exit: exitOf(by, 'notify_change', CODE),
      kept,
      record: doneLayout,
      maxEntries: MAX_CALLS,
    },
    (dentry, { ia_valid: valid, ia_file: file }) => {
      // A descriptor whose file is cut asks for no mount again.
      const mnt = firstNonZero(ifThen(isSet(valid, ATTR_FILE), file.f_path.mnt), mountOf(mounts))
      return begun(dentry, mnt, whatOf(valid), watched)
    },
    ({ dentry, mnt, what }, code) => ({ when: eq(code, 0), fill: doneAt(dentry, mnt, what) }),
  )
  return [exit, entry]
}

/** The size of a file is set, also when it is opened. */
export function truncateFunctions(by: FunctionHook, mounts: MountMap, watched: Watched): Probe[] {
  return settingProbes(by, 'tr', (valid) => ifThen(isSet(valid, ATTR_SIZE), DID_TRUNCATE), mounts, watched)
}

/** Extended attributes, and access control lists, which have functions of their own since Linux 6.2. */
const XATTRS = {
  sx: 'vfs_setxattr',
  rx: 'vfs_removexattr',
  sa: 'vfs_set_acl',
  ra: 'vfs_remove_acl',
} as const

type XattrLetters = keyof typeof XATTRS

function xattrProbes(by: FunctionHook, letters: XattrLetters, mounts: MountMap, watched: Watched): Probe[] {
  const target = XATTRS[letters]
  const { entry, exit } = pair(
    {
      name: pairName(by, letters),
      entry: entryOf(by, target, [named(struct<Dentry>('dentry', 'dentry'))]),
      exit: exitOf(by, target, CODE),
      kept,
      record: doneLayout,
      maxEntries: MAX_CALLS,
    },
    (dentry) => begun(dentry, mountOf(mounts), constant(DID_XATTR), watched),
    ({ dentry, mnt, what }, code) => ({ when: eq(code, 0), fill: doneAt(dentry, mnt, what) }),
  )
  return [exit, entry]
}

/** The size is what content is about, and the times that go with it are. */
function attributesBy(valid: Scalar): Scalar {
  const isTimes = and(
    isSet(valid, ATTR_ATIME | ATTR_MTIME),
    eq(and(valid, ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_SIZE), 0),
  )
  return or(
    ifThen(isSet(valid, ATTR_MODE), DID_CHMOD),
    ifThen(isSet(valid, ATTR_UID | ATTR_GID), DID_CHOWN),
    ifThen(isTimes, DID_UTIMES),
  )
}

export function attributeFunctions(by: FunctionHook, mounts: MountMap, watched: Watched): Probe[] {
  return [
    ...settingProbes(by, 'at', attributesBy, mounts, watched),
    ...xattrProbes(by, 'sx', mounts, watched),
    ...xattrProbes(by, 'rx', mounts, watched),
  ]
}

/** Since Linux 6.2; before, they are set as any other extended attribute. */
export function aclFunctions(by: FunctionHook, mounts: MountMap, watched: Watched): Probe[] {
  return [...xattrProbes(by, 'sa', mounts, watched), ...xattrProbes(by, 'ra', mounts, watched)]
}
