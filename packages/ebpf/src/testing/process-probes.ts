import { readFileSync, writeFileSync } from 'node:fs'
import type { Btf } from '../btf/index.js'
import { kernelBtf } from '../kernel/btf.js'
import {
  and,
  chars,
  type Chars,
  cstring,
  currentTask,
  decodeRecord,
  eq,
  type Flavor,
  HEADER_TYPE,
  int,
  kernelString,
  optional,
  packet,
  path,
  type PathStruct,
  type Fields,
  type RecordLayout,
  type RecordingProbe,
  probe,
  procConnector,
  type RecordOf,
  s32,
  s64,
  type Scalar,
  struct,
  tracepoint,
  u32,
  u64,
  userBytes,
  words,
  record,
  pathTail,
  bytesTail,
  stringTail,
  wordsTail,
} from '../probe/index.js'
import { PROC_EVENT_SID } from '../attach/index.js'
import { probeFeature } from '../kernel/features.js'
import type { SessionOptions } from '../session/options.js'
import { ProbeSession } from '../session/session.js'
import { kernelAtLeast } from '../sys/platform.js'

export interface Task {
  readonly pid: Scalar
  readonly tgid: Scalar
  readonly in_execve: Scalar
  readonly exit_code: Scalar
  readonly exit_signal: Scalar
  readonly comm: Chars
  readonly group_leader: Task
  readonly real_parent: Task
  readonly signal: { readonly oom_score_adj: Scalar; readonly no_such_member: Scalar }
  readonly cred: { readonly group_info: { readonly ngroups: Scalar; readonly gid: Chars } }
  readonly mm: { readonly arg_start: Scalar; readonly arg_end: Scalar }
  readonly fs: { readonly pwd: PathStruct; readonly root: PathStruct }
}

interface Bprm {
  readonly file: { readonly f_path: PathStruct }
}

const task = struct<Task>('task_struct', 'task')

export const forkProbe = probe(
  {
    name: 't_fork',
    hook: tracepoint('sched_process_fork', [task, struct<Task>('task_struct', 'child')]),
    record: record(1, 't_fork', {
      parentPid: u32,
      pid: u32,
      tid: u32,
      exitSignal: s32,
      exitSignalWide: s64,
      exitSignalUnsigned: u64,
      inExecve: u32,
      cwd: pathTail,
    }),
  },
  (parent, child) => ({
    fill: {
      parentPid: parent.tgid,
      pid: child.tgid,
      tid: child.pid,
      exitSignal: child.exit_signal,
      exitSignalWide: child.exit_signal,
      exitSignalUnsigned: child.exit_signal,
      inExecve: child.in_execve,
      cwd: path(child.fs.pwd, child.fs.root),
    },
  }),
)

export const execProbe = probe(
  {
    name: 't_exec',
    hook: tracepoint('sched_process_exec', [task, int('old_pid', 4), struct<Bprm>('linux_binprm', 'bprm')]),
    record: record(2, 't_exec', {
      pid: u32,
      oldPid: s64,
      parentPid: u32,
      inExecve: u32,
      oomScore: s32,
      oomScoreWide: s64,
      gone: u64,
      comm: chars(16),
      cwd: pathTail,
      argv: bytesTail(1024),
      exe: pathTail,
      groups: wordsTail(4, 16),
    }),
  },
  (p, oldPid, bprm) => ({
    fill: {
      pid: p.tgid,
      oldPid,
      parentPid: p.real_parent.tgid,
      inExecve: p.in_execve,
      oomScore: p.signal.oom_score_adj,
      oomScoreWide: p.signal.oom_score_adj,
      gone: p.signal.no_such_member,
      comm: p.comm,
      cwd: path(p.fs.pwd, p.fs.root),
      argv: userBytes(p.mm.arg_start, p.mm.arg_end),
      exe: path(bprm.file.f_path, p.fs.root),
      groups: words(p.cred.group_info.gid, p.cred.group_info.ngroups),
    },
  }),
)

export const exitProbe = probe(
  {
    name: 't_exit',
    hook: tracepoint('sched_process_exit', [task, optional(int('group_dead', 1))]),
    record: record(3, 't_exit', { pid: u32, exitCode: u32, groupDead: u64 }),
  },
  (p, groupDead) => ({
    when: eq(p.pid, p.tgid),
    fill: { pid: p.tgid, exitCode: p.exit_code, groupDead },
  }),
)

/** Renames of this very process, which a test makes by writing to /proc/self/comm. */
export const renameProbe = probe(
  {
    name: 't_rename',
    hook: tracepoint('task_rename', [task, cstring('comm')]),
    record: record(4, 't_rename', {
      pid: u32,
      before: chars(16),
      comm: stringTail(16),
      short: stringTail(4),
    }),
  },
  (p, comm) => ({
    when: eq(p.tgid, process.pid),
    fill: { pid: p.tgid, before: p.comm, comm: kernelString(comm), short: kernelString(comm) },
  }),
)

export const sessionProbe = probe(
  {
    name: 't_sid',
    hook: procConnector(PROC_EVENT_SID),
    record: record(5, 't_sid', { what: u32, pid: u32, beyond: u32 }),
  },
  () => ({
    when: and(eq(packet(36, 4), PROC_EVENT_SID), eq(packet(16, 4), 1)),
    fill: { what: packet(36, 4), pid: currentTask<Task>().tgid, beyond: packet(4096, 4) },
  }),
)

/** One way to compile and attach probes. */
export interface Way {
  readonly flavor: Flavor
  readonly loop: 'helper' | 'bounded'
}

/** Whether programs may read any kernel memory: lockdown=confidentiality forbids it. */
export const MAY_PROBE_READ = probeFeature('probeReadKernel').supported

/** Whether programs get behind addresses that the verifier knows nothing of: paths, and strings of the kernel. */
export const MAY_FOLLOW = MAY_PROBE_READ || kernelAtLeast('6.2')

/** Those that this kernel lets programs have. */
export const FLAVORS = MAY_PROBE_READ ? (['direct', 'probeRead'] as const) : (['direct'] as const)

export const WAYS: readonly Way[] = FLAVORS.flatMap((flavor) =>
  (['helper', 'bounded'] as const).map((loop) => ({ flavor, loop })),
)

let sharedBtf: Btf | undefined

/** A session with room for what the probes of this file write. */
export function openSession(way?: Way, options: Partial<SessionOptions> = {}): ProbeSession {
  sharedBtf ??= kernelBtf()
  const probes = [forkProbe, execProbe, exitProbe, renameProbe, sessionProbe]
  return ProbeSession.open(
    {
      btf: sharedBtf,
      ringSizeBytes: 1 << 22,
      ...(way === undefined ? {} : { flavors: [way.flavor], loop: way.loop }),
      ...options,
    },
    Math.max(...probes.map(({ maxSizeBytes }) => maxSizeBytes)),
  )
}

/** Takes all records out of a session, as they are. */
export function copyRecords(session: ProbeSession): Buffer[] {
  const records: Buffer[] = []
  session.drain({
    record: (_words, bytes, offset, length) => {
      records.push(Buffer.from(bytes.subarray(offset, offset + length)))
    },
  })
  return records
}

/** The records of one probe, decoded. */
export function recordsOf<F extends Fields>(
  records: readonly Buffer[],
  { record }: RecordingProbe<F>,
): RecordOf<RecordLayout<F>>[] {
  return records
    .filter((bytes) => bytes.readUInt16LE(HEADER_TYPE) === record.type)
    .map((bytes) => decodeRecord(record, bytes))
}

/** Takes the records of one probe out of a session, decoded; those of others are dropped. */
export function drainRecords<F extends Fields>(
  session: ProbeSession,
  declared: RecordingProbe<F>,
): RecordOf<RecordLayout<F>>[] {
  return recordsOf(copyRecords(session), declared)
}

/** Makes `count` records of `renameProbe`, and leaves this process's name as it was. */
export function produceRenames(count: number): void {
  const comm = readFileSync('/proc/self/comm', 'utf8').trim()
  for (let i = 0; i < count; i += 1) writeFileSync('/proc/self/comm', comm)
}

/** One ring for all CPUs, and one for each where they can have that; old kernels have no maps of more than 4 MiB. */
export const RINGS = process.arch === 'x64' && MAY_PROBE_READ ? [false, true] : [false]
