/** What fills the records of files that are written and then executed, in the kernel. */

import {
  and,
  at,
  bootNs,
  chars,
  currentTask,
  type Elements,
  enumValue,
  eq,
  fentry,
  has,
  increase,
  inTask,
  int,
  kernelString,
  kprobe,
  lookup,
  lt,
  map,
  type MapEffect,
  ne,
  oneOf,
  or,
  type Probe,
  probe,
  remove,
  type Scalar,
  shiftLeft,
  store,
  struct,
  sysExit,
  tracepoint,
  u32,
  u64,
} from 'quark-ebpf/probe'
import { currentActor } from '../../process/actor.js'
import { fileOf, FMODE_WRITE, isSuccess, type OpenFile, pathOf } from '../../process/kernel-files.js'
import type { Task } from '../../process/kernel-types.js'
import { PREFIX_BYTES, PREFIXES } from './interpreters.js'
import { COMM_BYTES, execChangeLayout, FILE_PROGRAM, FILE_SCRIPT, scriptOpenLayout } from './records.js'

/** `struct inode`, and who it is. */
interface Inode {
  readonly i_ino: Scalar
  readonly i_generation: Scalar
  readonly i_mode: Scalar
  readonly i_sb: { readonly s_dev: Scalar }
}

interface File {
  readonly f_mode: Scalar
  readonly f_inode: Inode
}

/** `struct linux_binprm`: `interp` is another text than `filename` once a script was found. */
interface Bprm {
  readonly file: File
  readonly filename: Scalar
  readonly interp: Scalar
}

/** The name as characters. */
interface NamedTask {
  readonly comm: Elements<Scalar>
}

const S_IFMT = 0o170000
const S_IFREG = 0o100000
/** Of one process that interprets a script so many files may be looked at. */
const MOST_OPENED = 16
const MAX_SCRIPTS = 4096

const writer = {
  writerStartBootNs: u64,
  openedNs: u64,
  writerPid: u32,
  writerSid: u32,
  writerUid: u32,
  isMemfd: u32,
  writerComm: chars(COMM_BYTES),
} as const

/** The maps of a queue, whichever rung it has. */
export function execChangeMaps(maxFiles: number) {
  return {
    /** Who opened a file to be written, the last time. */
    written: map({
      name: 'quark_writers',
      type: 'lruHash',
      key: { inode: u64, device: u32, generation: u32 },
      value: writer,
      maxEntries: maxFiles,
    }),
    /** The first file of an exec that is under way, by the process. */
    begun: map({ name: 'quark_begun', type: 'lruHash', key: u32, value: writer, maxEntries: MAX_SCRIPTS }),
    /** Processes that interpret a script, and how many files that somebody wrote they have opened. */
    scripts: map({
      name: 'quark_scripts',
      type: 'lruHash',
      key: u32,
      value: { opened: u32, isArgument: u32 },
      maxEntries: MAX_SCRIPTS,
    }),
  }
}

type Maps = ReturnType<typeof execChangeMaps>

function keyOf({ i_ino: inode, i_sb: { s_dev: device }, i_generation: generation }: Inode) {
  return { inode, device, generation }
}

function isRegular({ i_mode: mode }: Inode): Scalar {
  return eq(and(mode, S_IFMT), S_IFREG)
}

function sidOf({ signal }: Task): Scalar {
  return at(at(signal.pids, enumValue('pid_type', 'PIDTYPE_SID')).numbers, 0).nr
}

function noteWriter({ written }: Maps, file: File, isMemfd: 0 | 1): MapEffect {
  const task = currentTask<Task>()
  const { pid, startBootNs } = currentActor()
  return store(written, keyOf(file.f_inode), {
    writerPid: pid,
    writerStartBootNs: startBootNs,
    openedNs: bootNs(),
    writerSid: sidOf(task),
    writerUid: task.cred.uid.val,
    writerComm: task.group_leader.comm,
    isMemfd,
  })
}

function isWritten(file: File): Scalar {
  return and(ne(and(file.f_mode, FMODE_WRITE), 0), isRegular(file.f_inode))
}

/** How functions are hooked. */
export type FunctionHook = 'fentry' | 'kprobe'

/** A file is opened, whoever asked for that. */
function openHook<F extends object>(by: FunctionHook) {
  const args = [struct<F>('file', 'file')] as const
  return inTask(by === 'fentry' ? fentry('security_file_open', args) : kprobe('security_file_open', args))
}

function openedProbe(maps: Maps, by: FunctionHook): Probe {
  return probe({ name: 'quark_wrote', hook: openHook<File>(by) }, (file) => ({
    when: isWritten(file),
    effects: [noteWriter(maps, file, 0)],
  }))
}

/** A system call opened a file. */
function openCallProbe(maps: Maps): Probe {
  const hook = sysExit(['open', 'openat', 'openat2', 'creat', 'open_by_handle_at'])
  return probe({ name: 'quark_wrote', hook }, (_call, result) => {
    const file = fileOf(result) as unknown as File
    return { when: and(isSuccess(result), isWritten(file)), effects: [noteWriter(maps, file, 0)] }
  })
}

/** A file was made that is only memory. */
function memfdProbe(maps: Maps): Probe {
  return probe({ name: 'quark_memfile', hook: sysExit(['memfd_create']) }, (_call, result) => ({
    when: isSuccess(result),
    effects: [noteWriter(maps, fileOf(result) as unknown as File, 1)],
  }))
}

const execHook = inTask(
  tracepoint('sched_process_exec', [
    struct<Task>('task_struct', 'task'),
    int('old_pid', 4),
    struct<Bprm>('linux_binprm', 'bprm'),
  ]),
)

function executed(task: Task, found: ReturnType<typeof lookupWriter>, bprm: Bprm, file: number) {
  return {
    ...currentActor(),
    sid: sidOf(task),
    file,
    ...found,
    name: kernelString(bprm.filename),
  }
}

function lookupWriter({ written }: Maps, file: File) {
  return lookup(written, keyOf(file.f_inode))
}

/** A program is executed that somebody wrote. */
function programProbe(maps: Maps): Probe {
  return probe({ name: 'quark_wrexec', hook: execHook, record: execChangeLayout }, (task, _old, bprm) => ({
    when: has(maps.written, keyOf(bprm.file.f_inode)),
    fill: executed(task, lookupWriter(maps, bprm.file), bprm, FILE_PROGRAM),
  }))
}

/** The kernel looks at the file of an exec: first at that which was named. */
function checkedProbe(maps: Maps, by: FunctionHook): Probe {
  const args = [struct<Bprm>('linux_binprm', 'bprm')] as const
  const target = 'security_bprm_check'
  const hook = by === 'fentry' ? fentry(target, args) : kprobe(target, args)
  return probe({ name: 'quark_wrcheck', hook: inTask(hook) }, (bprm) => ({
    when: eq(bprm.interp, bprm.filename),
    // Of what nobody wrote it is 0, in place of what an earlier exec had.
    effects: [store(maps.begun, currentTask<Task>().tgid, lookupWriter(maps, bprm.file))],
  }))
}

/** A script is executed that somebody wrote. */
function scriptProbe(maps: Maps): Probe {
  return probe({ name: 'quark_wrscript', hook: execHook, record: execChangeLayout }, (task, _old, bprm) => {
    const found = lookup(maps.begun, task.tgid)
    return {
      when: and(ne(bprm.interp, bprm.filename), ne(found.openedNs, 0)),
      fill: executed(task, found, bprm, FILE_SCRIPT),
    }
  })
}

/** Whether the name of a task may be that of an interpreter: user space looks at all of it. */
function isInterpreter(task: NamedTask): Scalar {
  const bytes = Array.from({ length: PREFIX_BYTES }, (_, index) => shiftLeft(at(task.comm, index), 8 * index))
  return oneOf(
    bytes.reduce((low, byte) => or(low, byte)),
    PREFIXES,
  )
}

/** Whatever a process executed before, it interprets nothing any more, unless a later probe of the same exec says so. */
function executedProbe({ scripts }: Maps): Probe {
  return probe({ name: 'quark_notint', hook: execHook }, (task) => ({
    when: has(scripts, task.tgid),
    effects: [remove(scripts, task.tgid)],
  }))
}

/** An interpreter is executed, with a script as its argument: it will open it. */
function interpreterProbe({ scripts }: Maps): Probe {
  return probe({ name: 'quark_interp', hook: execHook }, (task, _old, bprm) => ({
    when: and(eq(bprm.interp, bprm.filename), isInterpreter(task as unknown as NamedTask)),
    effects: [store(scripts, task.tgid, { opened: 0, isArgument: 1 })],
  }))
}

/** A script is executed: what interprets it will open it. */
function interpretedProbe({ scripts }: Maps): Probe {
  return probe({ name: 'quark_interpd', hook: execHook }, (task, _old, bprm) => ({
    when: ne(bprm.interp, bprm.filename),
    effects: [store(scripts, task.tgid, { opened: 0, isArgument: 0 })],
  }))
}

/** What a process that interprets a script opens to read it, if somebody wrote that. */
function scriptOpened(maps: Maps, opened: OpenFile) {
  const file = opened as unknown as File
  const task = currentTask<Task>()
  const { opened: count, isArgument } = lookup(maps.scripts, task.tgid)
  return {
    when: and(
      has(maps.scripts, task.tgid),
      lt(count, MOST_OPENED),
      eq(and(file.f_mode, FMODE_WRITE), 0),
      isRegular(file.f_inode),
      has(maps.written, keyOf(file.f_inode)),
    ),
    effects: [increase(maps.scripts, task.tgid, { opened: 1 })],
    fill: {
      ...currentActor(),
      sid: sidOf(task),
      ...lookupWriter(maps, file),
      isArgument,
      path: pathOf(opened),
    },
  }
}

/** The same by the function that opens, and by system calls. */
function scriptOpenProbe(maps: Maps, by: FunctionHook | 'call'): Probe {
  const declared = { name: 'quark_wropen', record: scriptOpenLayout } as const
  if (by !== 'call') {
    return probe({ ...declared, hook: openHook<OpenFile>(by) }, (file) => scriptOpened(maps, file))
  }
  const hook = sysExit(['open', 'openat', 'openat2'])
  return probe({ ...declared, hook }, (_call, result) => {
    const { when, ...rest } = scriptOpened(maps, fileOf(result))
    return { ...rest, when: and(isSuccess(result), when) }
  })
}

/** The probes of a rung; what is written is noted before what is executed. */
export function functionProbes(by: FunctionHook, maps: Maps): Probe[] {
  return [
    openedProbe(maps, by),
    memfdProbe(maps),
    checkedProbe(maps, by),
    programProbe(maps),
    scriptProbe(maps),
    executedProbe(maps),
    interpreterProbe(maps),
    scriptOpenProbe(maps, by),
  ]
}

/** The same where no function can be hooked. */
export function callProbes(maps: Maps): Probe[] {
  return [
    openCallProbe(maps),
    memfdProbe(maps),
    programProbe(maps),
    executedProbe(maps),
    interpreterProbe(maps),
    interpretedProbe(maps),
    scriptOpenProbe(maps, 'call'),
  ]
}
