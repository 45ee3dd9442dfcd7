/** Parts of a process: its relatives, its usage, and former ids. */

import type { ObjectSpec, RelativeSpec } from '../event/spec.js'
import type { Container, EntryPoint, Ids, Killer, Pod, Process, ProcessUsage } from './process.js'

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

/** Where a process descends from. */
export const entryObject: ObjectSpec<EntryPoint> = {
  name: 'entry',
  doc: 'How a process came into the system',
  fields: {
    type: {
      type: 'word',
      words: ['init', 'kthread', 'sshd', 'ssm', 'container', 'terminal', 'console'],
      doc: 'with the system, as a kernel thread, by a login (ssh, SSM, serial terminal, virtual console), or in a container',
      isAlwaysKnown: true,
      ecs: 'type',
    },
    pid: { type: 'pid', doc: 'of the entry leader, from which it descends', isAlwaysKnown: true },
    address: {
      type: 'string',
      doc: 'that an ssh login came from, as the environment of the entry leader says',
      ecs: 'source.ip',
    },
    port: { type: 'number', max: 65_535, doc: 'its port' },
  },
}

/** A container. */
export const containerObject: ObjectSpec<Container> = {
  name: 'container',
  doc: 'A container; what the runtime was not asked about, or did not say, is absent',
  fields: {
    id: {
      type: 'string',
      doc: 'as the path of the cgroup has it: 64 digits, or a name where the runtime has no numbers',
      isAlwaysKnown: true,
      ecs: 'id',
    },
    runtime: {
      type: 'word',
      words: ['docker', 'podman', 'containerd', 'cri-o', 'lxc', 'systemd-nspawn', 'ecs'],
      doc: 'what made it; absent where the path does not say it',
      ecs: 'runtime',
    },
    name: { type: 'string', doc: 'its name, as the runtime says', ecs: 'name' },
    image: { type: 'string', doc: 'name of the image, without tag and digest', ecs: 'image.name' },
    imageTag: {
      type: 'string',
      doc: 'tag of the image',
      ecs: { path: 'image.tag', as: 'strings', value: ({ imageTag }) => listOf(imageTag) },
    },
    imageDigest: {
      type: 'string',
      doc: 'digest of the image: `sha256:` and digits',
      ecs: { path: 'image.hash.all', as: 'strings', value: ({ imageDigest }) => listOf(imageDigest) },
    },
    labels: { type: 'values', doc: 'labels, as many as are kept', mayHoldSecrets: true, ecs: 'labels' },
  },
}

/** A pod. */
export const podObject: ObjectSpec<Pod> = {
  name: 'pod',
  doc: 'A pod of Kubernetes; what its API was not asked about, or did not say, is absent',
  fields: {
    uid: {
      type: 'string',
      doc: 'its uid, as the path of the cgroup has it',
      isAlwaysKnown: true,
      ecs: [
        { path: 'type', value: () => 'kubernetes', doc: '`kubernetes`' },
        { path: 'resource.type', value: () => 'pod', doc: '`pod`' },
        'resource.id',
      ],
    },
    name: { type: 'string', doc: 'its name', ecs: 'resource.name' },
    namespace: { type: 'string', doc: 'its namespace', ecs: 'namespace' },
    node: { type: 'string', doc: 'the node that it runs on' },
    cluster: { type: 'string', doc: 'name of the cluster', ecs: 'cluster.name' },
    clusterId: { type: 'string', doc: 'id of the cluster', ecs: 'cluster.id' },
    clusterVersion: { type: 'string', doc: 'version of Kubernetes', ecs: 'cluster.version' },
    ips: { type: 'strings', doc: 'its addresses', ecs: 'resource.ip' },
    labels: {
      type: 'values',
      doc: 'labels, as many as are kept',
      ecs: {
        path: 'resource.label',
        as: 'strings',
        value: ({ labels }) =>
          labels === undefined
            ? undefined
            : Object.entries(labels).map(([name, value]) => `${name}:${value}`),
      },
    },
  },
}

function listOf(text: string | undefined): readonly string[] | undefined {
  return text === undefined ? undefined : [text]
}

/** One of the processes that a process descends from. */
export const ancestorObject: ObjectSpec<Pick<Process, 'pid' | 'entityId' | 'comm' | 'exe'>> = {
  name: 'ancestor',
  doc: 'A process that another one descends from; its own events have more of it',
  fields: {
    pid: { type: 'pid', doc: "the kernel's tgid", isAlwaysKnown: true, ecs: 'pid' },
    entityId: { type: 'string', doc: 'as in its own events', ecs: 'entity_id' },
    comm: { type: 'string', doc: 'its name', ecs: 'name' },
    exe: { type: 'string', doc: 'its program', ecs: 'executable' },
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
  {
    name: 'entryLeader',
    doc: 'the process from which it descends: its login, its container, or process 1',
    key: 'entry_leader',
    id: (p) => p.entry?.pid,
    shows: 'relatives',
    same: 'same_as_process',
    says: { key: 'entry_meta', object: entryObject, value: (p) => p.entry },
  },
]
