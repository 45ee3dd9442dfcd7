/** What fills the records of executed files, in the kernel. */

import {
  and,
  constant,
  currentTask,
  eq,
  firstOf,
  int,
  inTask,
  iterator,
  kernelString,
  ne,
  path,
  type PathStruct,
  probe,
  type Scalar,
  struct,
  tracepoint,
} from 'quark-ebpf/probe'
import { currentActor } from '../../process/actor.js'
import { changeNsOf, type InodeTimes, modificationNsOf } from '../../process/inode-times.js'
import { executedLayout, FOUND } from './records.js'

interface Inode extends InodeTimes {
  readonly i_ino: Scalar
  readonly i_generation: Scalar
  readonly i_size: Scalar
  readonly i_sb: { readonly s_dev: Scalar }
}

/** `struct linux_binprm`: `interp` is another text than `filename` once a script was found. */
interface Bprm {
  readonly file: { readonly f_path: PathStruct; readonly f_inode: Inode }
  readonly filename: Scalar
  readonly interp: Scalar
}

interface RootTask {
  readonly fs: { readonly root: PathStruct }
}

interface OlderTask extends RootTask {
  readonly pid: Scalar
  readonly tgid: Scalar
  readonly start_boottime: Scalar
  readonly real_start_time: Scalar
  readonly mm: { readonly exe_file: { readonly f_path: PathStruct; readonly f_inode: Inode } }
}

/** A process executes a file; of a script it is the program that interprets it. */
export function executedProbe() {
  const hook = inTask(
    tracepoint('sched_process_exec', [
      struct<RootTask>('task_struct', 'task'),
      int('old_pid', 4),
      struct<Bprm>('linux_binprm', 'bprm'),
    ]),
  )
  return probe({ name: 'quark_execfile', hook, record: executedLayout }, (_task, _old, bprm) => {
    const { f_inode: inode, f_path: found } = bprm.file
    return {
      fill: {
        ...currentActor(),
        isScript: ne(bprm.interp, bprm.filename),
        ...identityOf(inode),
        exe: path(found, currentTask<RootTask>().fs.root),
        name: kernelString(bprm.filename),
      },
    }
  })
}

/** The files of the processes that exist: as their execs would have had them. */
export function olderExecutedProbe() {
  const hook = iterator('task', [struct<OlderTask>('task_struct', 'task')])
  return probe({ name: 'quark_oldfile', hook, record: executedLayout }, (task) => {
    const { f_inode: inode, f_path: found } = task.mm.exe_file
    return {
      // Threads of the kernel execute none.
      when: and(and(ne(task.tgid, 0), eq(task.pid, task.tgid)), ne(inode.i_ino, 0)),
      fill: {
        pid: task.tgid,
        // Renamed in 5.5.
        startBootNs: firstOf(task.start_boottime, task.real_start_time),
        isScript: constant(FOUND),
        ...identityOf(inode),
        exe: path(found, task.fs.root),
        // It is not kept: what is read at 0 is absent.
        name: kernelString(constant(0)),
      },
    }
  })
}

function identityOf(inode: Inode) {
  return {
    device: inode.i_sb.s_dev,
    generation: inode.i_generation,
    inode: inode.i_ino,
    sizeBytes: inode.i_size,
    mtimeNs: modificationNsOf(inode),
    ctimeNs: changeNsOf(inode),
  }
}
