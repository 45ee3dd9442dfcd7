/** What fills the records of executed files, in the kernel. */

import {
  currentTask,
  firstOf,
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
import { nsOf } from '../../process/inode-times.js'
import { executedLayout } from './records.js'

interface Time {
  readonly tv_sec: Scalar
  readonly tv_nsec: Scalar
}

interface Inode {
  readonly i_ino: Scalar
  readonly i_generation: Scalar
  readonly i_size: Scalar
  readonly i_sb: { readonly s_dev: Scalar }
  /** Up to 6.6. */
  readonly i_mtime: Time
  readonly i_ctime: Time
  /** Up to 6.10. */
  readonly __i_mtime: Time
  readonly __i_ctime: Time
  readonly i_mtime_sec: Scalar
  readonly i_mtime_nsec: Scalar
  readonly i_ctime_sec: Scalar
  readonly i_ctime_nsec: Scalar
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
        mtimeNs: firstOf(
          nsOf(inode.i_mtime_sec, inode.i_mtime_nsec),
          nsOf(inode.__i_mtime.tv_sec, inode.__i_mtime.tv_nsec),
          nsOf(inode.i_mtime.tv_sec, inode.i_mtime.tv_nsec),
        ),
        ctimeNs: firstOf(
          nsOf(inode.i_ctime_sec, inode.i_ctime_nsec),
          nsOf(inode.__i_ctime.tv_sec, inode.__i_ctime.tv_nsec),
          nsOf(inode.i_ctime.tv_sec, inode.i_ctime.tv_nsec),
        ),
        exe: path(found, currentTask<RootTask>().fs.root),
        name: kernelString(bprm.filename),
      },
    }
  })
}
