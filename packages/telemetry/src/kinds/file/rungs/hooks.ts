/** Functions of the kernel that change files, and where the file system is mounted that they change. */

import {
  and,
  type ArgumentType,
  containerOf,
  currentPidTgid,
  eq,
  fentry,
  fexit,
  type Hook,
  inTask,
  notPartlyInlined,
  kprobe,
  kretprobe,
  lookup,
  map,
  named,
  ne,
  path,
  type Probe,
  probe,
  remove,
  type Scalar,
  store,
  struct,
  u64,
  type Value,
  cast,
} from 'quark-ebpf/probe'
import type { Dentry, Mount, OpenFile, VfsMount } from '../kernel-types.js'
import { addressOf, current } from './common.js'

/** How functions are hooked. */
export type FunctionHook = 'fentry' | 'kprobe'

/** The name of a pair: rungs that are tried one after the other do not share their maps. */
export function pairName(by: FunctionHook, letters: string): string {
  return `quark${by === 'fentry' ? 'f' : 'k'}_${letters}`
}

/** Threads that are in such a function at once. */
export const MAX_CALLS = 4096
/** Threads that are about to change a file system at once. */
const MAX_THREADS = 10_240
/** -EINVAL, as the namespace of mounts that nobody can see: the kernel's own, and those below overlayfs. */
export const INTERNAL = 2n ** 64n - 22n

export function entryOf<const A extends readonly ArgumentType<Value>[]>(
  by: FunctionHook,
  target: string,
  args: A,
): Hook<A> {
  return notPartlyInlined(inTask(by === 'fentry' ? fentry(target, args) : kprobe(target, args)))
}

export function exitOf<const R extends readonly ArgumentType<Value>[]>(
  by: FunctionHook,
  target: string,
  ...returns: R
): Hook<R> {
  const hook = by === 'fentry' ? fexit(target, [], ...returns) : kretprobe(target, ...returns)
  return notPartlyInlined(inTask(hook as unknown as Hook<R>))
}

/** What functions get that change names is a place in a file system, and not where that is mounted: this is kept by thread. */
export function mountMap() {
  return map({ name: 'quark_fmounts', type: 'lruHash', key: u64, value: u64, maxEntries: MAX_THREADS })
}

export type MountMap = ReturnType<typeof mountMap>

/**
 * The current thread asks to change what is mounted somewhere, and later says that it is done: whatever changes names or
 * attributes in the name of somebody does so.
 */
export function mountProbes(by: FunctionHook, mounts: MountMap): Probe[] {
  const thread = currentPidTgid()
  const noted = (mnt: Scalar) => ({
    when: and(
      // Several facts note it.
      ne(lookup(mounts, thread), mnt),
      // What overlayfs does with what is below it has been asked for by another name.
      ne(containerOf<Mount>('mount', 'mnt', mnt).mnt_ns, INTERNAL),
    ),
    effects: [store(mounts, thread, mnt)],
  })
  const forgotten = (mnt: Scalar) => ({
    when: eq(lookup(mounts, thread), mnt),
    effects: [remove(mounts, thread)],
  })
  const mount = named(struct<VfsMount>('vfsmount', 'mnt'), 'm')
  const file = named(struct<OpenFile>('file', 'file'))
  return [
    probe({ name: 'quark_fmount', hook: entryOf(by, 'mnt_want_write', [mount]) }, (mnt) =>
      noted(addressOf(mnt)),
    ),
    probe({ name: 'quark_fmountf', hook: entryOf(by, 'mnt_want_write_file', [file]) }, ({ f_path }) =>
      noted(f_path.mnt),
    ),
    probe({ name: 'quark_fdrop', hook: entryOf(by, 'mnt_drop_write', [mount]) }, (mnt) =>
      forgotten(addressOf(mnt)),
    ),
    probe({ name: 'quark_fdropf', hook: entryOf(by, 'mnt_drop_write_file', [file]) }, ({ f_path }) =>
      forgotten(f_path.mnt),
    ),
  ]
}

/** The mount by which the current thread changes something; 0 if it is another file system. */
export function mountOf(mounts: MountMap): Scalar {
  return lookup(mounts, currentPidTgid())
}

/** Whether a mount shows the file system of a place. */
export function isMountOf(mnt: Scalar, { d_sb }: Dentry): Scalar {
  return and(ne(mnt, 0), eq(cast<VfsMount>('vfsmount', mnt).mnt_sb, addressOf(d_sb)))
}

/** Where something lies, as the current process sees it. */
export function placeOf(mnt: Scalar, dentry: Scalar) {
  return path({ mnt, dentry }, current().fs.root)
}

export function dentryAt(address: Scalar): Dentry {
  return cast<Dentry>('dentry', address)
}
