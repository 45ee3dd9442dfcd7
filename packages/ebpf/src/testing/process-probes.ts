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
  type Field,
  type Flavor,
  HEADER_TYPE,
  int,
  kernelString,
  optional,
  packet,
  path,
  type PathStruct,
  type Probe,
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
} from '../probe/index.js'
import { PROC_EVENT_SID } from '../attach/index.js'
import { probeFeature } from '../kernel/features.js'
import { ProbeSession, type SessionOptions } from '../session/session.js'
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
    type: 1,
    hook: tracepoint('sched_process_fork', [task, struct<Task>('task_struct', 'child')]),
  },
  (parent, child) => ({
    record: {
      parentPid: u32(parent.tgid),
      pid: u32(child.tgid),
      tid: u32(child.pid),
      exitSignal: s32(child.exit_signal),
      exitSignalWide: s64(child.exit_signal),
      exitSignalUnsigned: u64(child.exit_signal),
      inExecve: u32(child.in_execve),
      cwd: path(child.fs.pwd, child.fs.root),
    },
  }),
)

export const execProbe = probe(
  {
    name: 't_exec',
    type: 2,
    hook: tracepoint('sched_process_exec', [task, int('old_pid', 4), struct<Bprm>('linux_binprm', 'bprm')]),
  },
  (p, oldPid, bprm) => ({
    record: {
      pid: u32(p.tgid),
      oldPid: s64(oldPid),
      parentPid: u32(p.real_parent.tgid),
      inExecve: u32(p.in_execve),
      oomScore: s32(p.signal.oom_score_adj),
      oomScoreWide: s64(p.signal.oom_score_adj),
      gone: u64(p.signal.no_such_member),
      comm: chars(16, p.comm),
      cwd: path(p.fs.pwd, p.fs.root),
      argv: userBytes(p.mm.arg_start, p.mm.arg_end, 1024),
      exe: path(bprm.file.f_path, p.fs.root),
      groups: words(p.cred.group_info.gid, p.cred.group_info.ngroups, 4, 16),
    },
  }),
)

export const exitProbe = probe(
  {
    name: 't_exit',
    type: 3,
    hook: tracepoint('sched_process_exit', [task, optional(int('group_dead', 1))]),
  },
  (p, groupDead) => ({
    when: eq(p.pid, p.tgid),
    record: { pid: u32(p.tgid), exitCode: u32(p.exit_code), groupDead: u64(groupDead) },
  }),
)

/** Renames of this very process, which a test makes by writing to /proc/self/comm. */
export const renameProbe = probe(
  { name: 't_rename', type: 4, hook: tracepoint('task_rename', [task, cstring('comm')]) },
  (p, comm) => ({
    when: eq(p.tgid, process.pid),
    record: {
      pid: u32(p.tgid),
      before: chars(16, p.comm),
      comm: kernelString(comm, 16),
      short: kernelString(comm, 4),
    },
  }),
)

export const sessionProbe = probe({ name: 't_sid', type: 5, hook: procConnector(PROC_EVENT_SID) }, () => ({
  when: and(eq(packet(36, 4), PROC_EVENT_SID), eq(packet(16, 4), 1)),
  record: { what: u32(packet(36, 4)), pid: u32(currentTask<Task>().tgid), beyond: u32(packet(4096, 4)) },
}))

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
  const sizes = [forkProbe, execProbe, exitProbe, renameProbe, sessionProbe].map(
    ({ layout }) => layout.maxSizeBytes,
  )
  return ProbeSession.open(
    {
      btf: sharedBtf,
      ringSizeBytes: 1 << 22,
      ...(way === undefined ? {} : { flavors: [way.flavor], loop: way.loop }),
      ...options,
    },
    Math.max(...sizes),
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
export function recordsOf<F extends Record<string, Field>>(
  records: readonly Buffer[],
  { layout }: Probe<F>,
): RecordOf<Probe<F>>[] {
  return records
    .filter((bytes) => bytes.readUInt16LE(HEADER_TYPE) === layout.type)
    .map((bytes) => decodeRecord(layout, bytes))
}

/** Takes the records of one probe out of a session, decoded; those of others are dropped. */
export function drainRecords<F extends Record<string, Field>>(
  session: ProbeSession,
  declared: Probe<F>,
): RecordOf<Probe<F>>[] {
  return recordsOf(copyRecords(session), declared)
}

/** Makes `count` records of `renameProbe`, and leaves this process's name as it was. */
export function produceRenames(count: number): void {
  const comm = readFileSync('/proc/self/comm', 'utf8').trim()
  for (let i = 0; i < count; i += 1) writeFileSync('/proc/self/comm', comm)
}

/** One ring for all CPUs, and one for each where they can have that; old kernels have no maps of more than 4 MiB. */
export const RINGS = process.arch === 'x64' && MAY_PROBE_READ ? [false, true] : [false]
