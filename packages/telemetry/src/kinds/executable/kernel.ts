/** What fills the records of executed files, in the kernel. */

import {
  currentTask,
  int,
  inTask,
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
import { executedLayout } from './records.js'

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
        device: inode.i_sb.s_dev,
        generation: inode.i_generation,
        inode: inode.i_ino,
        sizeBytes: inode.i_size,
        mtimeNs: modificationNsOf(inode),
        ctimeNs: changeNsOf(inode),
        exe: path(found, currentTask<RootTask>().fs.root),
        name: kernelString(bprm.filename),
      },
    }
  })
}
