/** Parts of a process: its relatives, its usage, and former ids. */

import type { ObjectSpec, RelativeSpec } from '../event/spec.js'
import type { Ids, Killer, Process, ProcessUsage } from './process.js'

/** Ids of a process at some time. */
export const idsObject: ObjectSpec<Ids> = {
  name: 'ids',
  doc: 'Ids of a process; what was not known is absent',
  fields: {
    sid: { type: 'pid', doc: 'session', ecs: 'sid' },
    uid: { type: 'uid', doc: 'real user', ecs: { path: 'uid', as: 'number' } },
    euid: { type: 'uid', doc: 'effective user', ecs: { path: 'euid', as: 'number' } },
    suid: { type: 'uid', doc: 'saved user', ecs: { path: 'suid', as: 'number' } },
    gid: { type: 'gid', doc: 'real group', ecs: { path: 'gid', as: 'number' } },
    egid: { type: 'gid', doc: 'effective group', ecs: { path: 'egid', as: 'number' } },
    sgid: { type: 'gid', doc: 'saved group', ecs: { path: 'sgid', as: 'number' } },
  },
}

/** Who sent the signal that ended a process. */
export const killerObject: ObjectSpec<Killer> = {
  name: 'killer',
  doc: 'Who sent the signal that ended a process',
  fields: {
    by: {
      type: 'word',
      words: ['process', 'kernel', 'oomKiller'],
      doc: 'a process, the kernel itself (a fault, a terminal, a timer), or the kernel since memory was short',
      isAlwaysKnown: true,
      ecs: 'by',
    },
    pid: {
      type: 'pid',
      doc: 'of the process that sent it, which may be the one that ended',
      ecs: 'pid',
    },
    uid: { type: 'uid', doc: 'its real user', ecs: 'user' },
    comm: { type: 'string', doc: 'its name', ecs: 'name' },
  },
}

/** What a process and its threads used. */
export const usageObject: ObjectSpec<ProcessUsage> = {
  name: 'usage',
  doc: 'What a process and its threads used, at its end',
  fields: {
    userTimeNs: {
      type: 'duration',
      unit: 'ns',
      doc: 'CPU time in user space',
      isAlwaysKnown: true,
      dump: 'USAG user_time',
      ecs: 'user_time_ns',
    },
    systemTimeNs: {
      type: 'duration',
      unit: 'ns',
      doc: 'CPU time in the kernel',
      isAlwaysKnown: true,
      dump: 'USAG system_time',
      ecs: 'system_time_ns',
    },
    peakRssBytes: {
      type: 'number',
      unit: 'bytes',
      max: Number.MAX_SAFE_INTEGER,
      doc: 'most memory that was resident',
      isAlwaysKnown: true,
      dump: 'USAG peak_rss',
      ecs: 'peak_rss_bytes',
    },
    readBytes: {
      type: 'digits',
      unit: 'bytes',
      doc: 'fetched from storage',
      isAlwaysKnown: true,
      dump: 'USAG read_bytes',
      ecs: 'read_bytes',
    },
    writeBytes: {
      type: 'digits',
      unit: 'bytes',
      doc: 'sent to storage',
      isAlwaysKnown: true,
      dump: 'USAG write_bytes',
      ecs: 'write_bytes',
    },
  },
}

const reference: Pick<RelativeSpec<Process>, 'shows' | 'only'> = { shows: 'references', only: 'full' }

/** Processes that ECS shows beside that of an event. */
export const processRelatives: readonly RelativeSpec<Process>[] = [
  {
    name: 'parent',
    doc: 'the process `ppid`',
    key: 'parent',
    id: (p) => p.ppid,
    shows: 'parent',
    isInJson: true,
    relatives: [
      {
        ...reference,
        name: 'parentGroupLeader',
        doc: 'the leader of its group',
        key: 'group_leader',
        id: (p) => p.pgid,
      },
    ],
  },
  {
    name: 'groupLeader',
    doc: 'the process `pgid`',
    key: 'group_leader',
    id: (p) => p.pgid,
    shows: 'relatives',
    same: 'same_as_process',
  },
  {
    name: 'sessionLeader',
    doc: 'the process `sid`',
    key: 'session_leader',
    id: (p) => p.sid,
    shows: 'relatives',
    same: 'same_as_process',
    // Only session leaders have a parent in ECS.
    relatives: [
      { ...reference, name: 'sessionLeaderParent', doc: 'its parent', key: 'parent', id: (p) => p.ppid },
    ],
  },
]
