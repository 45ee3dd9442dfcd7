import { anyExecutable } from '../../../testing/any-executable.js'
import * as fc from 'fast-check'
import type { Made } from '../../../event/forms.js'
import type { Ids, Process } from '../../../process/process.js'
import { hostileText, maybe, u32, u64 } from '../../../testing/hostile-text.js'
import type { ExecFailedEvent, ProcessAction, ProcessEvent, SnapshotEvent, ThreadEvent } from '../events.js'

/** Any process, with any of its facts unknown; pids of relatives are small. */
const anyFacts: fc.Arbitrary<Made<Process>> = fc.record({
  pid: u32,
  startTimeNs: maybe(u64),
  entityId: maybe(fc.base64String({ minLength: 16, maxLength: 16 })),
  entityIdCoarse: fc.boolean(),
  uniqueEntityId: maybe(fc.base64String({ minLength: 16, maxLength: 16 })),
  ppid: maybe(fc.nat({ max: 3 })),
  creatorPid: maybe(fc.nat({ max: 3 })),
  unseen: fc.boolean(),
  mayBeIncomplete: fc.boolean(),
  pgid: maybe(fc.nat({ max: 3 })),
  sid: maybe(fc.nat({ max: 3 })),
  uid: maybe(u32),
  euid: maybe(u32),
  suid: maybe(u32),
  gid: maybe(u32),
  egid: maybe(u32),
  sgid: maybe(u32),
  capInheritable: maybe(u64),
  capPermitted: maybe(u64),
  capEffective: maybe(u64),
  capBounding: maybe(u64),
  capabilitiesInUserNs: fc.boolean(),
  exeTruncated: fc.boolean(),
  executable: maybe(anyExecutable),
  cwdTruncated: fc.boolean(),
  capAmbient: maybe(u64),
  ttyMajor: maybe(fc.nat({ max: 255 })),
  ttyMinor: maybe(fc.nat({ max: 255 })),
  ttyName: maybe(hostileText),
  loginUid: maybe(u32),
  auditSession: maybe(u32),
  utsNs: maybe(u32),
  ipcNs: maybe(u32),
  mntNs: maybe(u32),
  netNs: maybe(u32),
  userNs: maybe(u32),
  pidNs: maybe(u32),
  cgroupNs: maybe(u32),
  timeNs: maybe(u32),
  comm: maybe(hostileText),
  exe: maybe(hostileText),
  exeDeleted: fc.boolean(),
  cwd: maybe(hostileText),
  root: maybe(hostileText),
  argv: maybe(fc.array(hostileText)),
  argvBytes: fc.constant(undefined),
  argvRedacted: fc.boolean(),
  argvTruncated: fc.boolean(),
  argvSizeBytes: maybe(u32),
  env: maybe(fc.array(hostileText)),
  envRedacted: fc.boolean(),
  envTruncated: fc.boolean(),
  envSizeBytes: maybe(u32),
  cgroup: maybe(hostileText),
  exitCode: maybe(fc.nat({ max: 255 })),
  exitSignal: maybe(fc.nat({ max: 127 })),
  coreDumped: fc.boolean(),
  killer: maybe(
    fc.record({
      by: fc.constantFrom('process' as const, 'kernel' as const, 'oomKiller' as const),
      pid: maybe(u32),
      uid: maybe(u32),
      comm: maybe(hostileText),
    }),
  ),
  entry: maybe(
    fc.record({
      type: fc.constantFrom('init' as const, 'sshd' as const, 'container' as const, 'console' as const),
      pid: u32,
      address: maybe(fc.oneof(fc.ipV4(), fc.ipV6())),
      port: maybe(fc.nat({ max: 65_535 })),
    }),
  ),
  containerUser: maybe(hostileText),
  containerGroup: maybe(hostileText),
  container: maybe(
    fc.record({
      id: hostileText,
      runtime: maybe(fc.constantFrom('docker' as const, 'cri-o' as const)),
      name: maybe(hostileText),
      image: maybe(hostileText),
      imageTag: maybe(hostileText),
      imageDigest: maybe(hostileText),
      labels: maybe(fc.dictionary(hostileText, hostileText)),
    }),
  ),
  pod: maybe(
    fc.record({
      uid: hostileText,
      name: maybe(hostileText),
      namespace: maybe(hostileText),
      node: maybe(hostileText),
      cluster: maybe(hostileText),
      clusterId: maybe(hostileText),
      clusterVersion: maybe(hostileText),
      ips: maybe(fc.array(fc.ipV4())),
      labels: maybe(fc.dictionary(hostileText, hostileText)),
    }),
  ),
  unit: maybe(hostileText),
  userUnit: maybe(hostileText),
  slice: maybe(hostileText),
  loginSession: maybe(hostileText),
  scheduler: maybe(fc.constantFrom('cron' as const, 'at' as const)),
  exitTimeNs: maybe(u64),
  durationNs: maybe(u64),
  usage: maybe(
    fc.record({ userTimeNs: u64, systemTimeNs: u64, peakRssBytes: u32, readBytes: u64, writeBytes: u64 }),
  ),
})

const ids: fc.Arbitrary<Ids> = fc.record({
  sid: u32,
  uid: u32,
  euid: u32,
  suid: u32,
  gid: u32,
  egid: u32,
  sgid: u32,
})

const ACTIONS: readonly ProcessAction[] = ['fork', 'exec', 'exit', 'idChange', 'commChange']

/** The same as writers take it, which call no forms. */
export const anyProcess = anyFacts as fc.Arbitrary<Process>

/** Any event of the kind. */
export const anyProcessEvent: fc.Arbitrary<
  Made<ProcessEvent> | Made<SnapshotEvent> | Made<ThreadEvent> | Made<ExecFailedEvent>
> = fc.oneof(
  fc.record({
    kind: fc.constant('process' as const),
    actions: fc.subarray([...ACTIONS], { minLength: 1 }),
    timeNs: u64,
    process: anyProcess,
    idChange: maybe(
      fc.record({
        changed: fc.subarray<'sid' | 'uid' | 'gid'>(['sid', 'uid', 'gid'], { minLength: 1 }),
        from: fc.oneof(fc.constant({}), ids),
        to: ids,
      }),
    ),
  }),
  fc.record({ kind: fc.constant('snapshot' as const), timeNs: u64, process: anyProcess }),
  fc.record({
    kind: fc.constant('thread' as const),
    action: fc.constantFrom('fork' as const, 'exit' as const),
    timeNs: u64,
    pid: u32,
    tid: u32,
    comm: maybe(hostileText),
    exitCode: maybe(u32),
    process: maybe(anyProcess),
  }),
  fc.record({
    kind: fc.constant('execFailed' as const),
    timeNs: u64,
    pid: u32,
    tid: u32,
    filename: maybe(hostileText),
    errno: fc.nat({ max: 4095 }),
    process: maybe(anyProcess),
  }),
)
