/** Probes of shared memory. */

import {
  and,
  callArgument,
  constant,
  containerOf,
  currentPidTgid,
  currentTask,
  eq,
  has,
  ifThen,
  lookup,
  map,
  ne,
  not,
  or,
  type Probe,
  probe,
  remove,
  type Scalar,
  store,
  sysEnter,
  sysExit,
  u64,
} from 'quark-ebpf/probe'
import { currentActor } from '../../process/actor.js'
import { fileOf, isMountedAt, isNamed, isSuccess, pathOf } from '../../process/kernel-files.js'
import { CREATED_UNKNOWN, memfdLayout, shmatLayout, shmgetLayout, shmOpenLayout } from './records.js'

interface Segments {
  readonly sysvshm: { readonly shm_clist: { readonly next: Scalar } }
}

interface Segment {
  readonly shm_perm: { readonly id: Scalar }
}

/** include/uapi/linux/magic.h */
const TMPFS_MAGIC = 0x0102_1994

/** A segment that a thread makes is the first in its list from then on. */
const newest = (): Scalar => currentTask<Segments>().sysvshm.shm_clist.next

/** shmget(2), and whether it made the segment: then the list of the thread begins with another one than before. */
function shmgetProbes(): Probe[] {
  const before = map({ name: 'quark_shmgets', type: 'lruHash', key: u64, value: u64, maxEntries: 4096 })
  const thread = currentPidTgid()
  const begin = probe({ name: 'quark_shmget_in', hook: sysEnter(['shmget']) }, () => ({
    effects: [store(before, thread, newest())],
  }))
  const end = probe(
    { name: 'quark_shmget', hook: sysExit(['shmget']), record: shmgetLayout },
    (call, result) => {
      const { id } = containerOf<Segment>('shmid_kernel', 'shm_clist', newest()).shm_perm
      const isNew = and(ne(lookup(before, thread), newest()), eq(id, result))
      return {
        finally: [remove(before, thread)],
        fill: {
          ...currentActor(),
          key: callArgument(call, 0),
          sizeBytes: callArgument(call, 1),
          flags: callArgument(call, 2),
          result,
          created: or(
            ifThen(not(has(before, thread)), constant(CREATED_UNKNOWN)),
            and(has(before, thread), isNew),
          ),
        },
      }
    },
  )
  return [end, begin]
}

function shmatProbe(): Probe {
  return probe({ name: 'quark_shmat', hook: sysExit(['shmat']), record: shmatLayout }, (call, result) => ({
    fill: { ...currentActor(), id: callArgument(call, 0), flags: callArgument(call, 2), result },
  }))
}

/** The name is that of the file: what the caller passed may have changed meanwhile. */
function memfdProbe(): Probe {
  return probe(
    { name: 'quark_memfd', hook: sysExit(['memfd_create']), record: memfdLayout },
    (call, result) => ({
      when: isSuccess(result),
      fill: { ...currentActor(), flags: callArgument(call, 1), name: pathOf(fileOf(result)) },
    }),
  )
}

/** Opens of files on a tmpfs that is mounted at a directory `shm`, or in such a directory. Their paths are looked at later. */
function shmOpenProbe(): Probe {
  const hook = sysExit(['open', 'openat', 'openat2', 'creat'])
  return probe({ name: 'quark_shmopen', hook, record: shmOpenLayout }, (_call, result) => {
    const file = fileOf(result)
    return {
      when: and(
        isSuccess(result),
        eq(file.f_inode.i_sb.s_magic, TMPFS_MAGIC),
        or(isNamed(file.f_path.dentry.d_parent, 'shm'), isMountedAt(file, 'shm')),
      ),
      fill: { ...currentActor(), mode: file.f_mode, file: pathOf(file) },
    }
  })
}

/** The probes of each fact. */
export function shmProbes() {
  return {
    segments: shmgetProbes(),
    attached: [shmatProbe()],
    memfds: [memfdProbe()],
    files: [shmOpenProbe()],
  }
}
