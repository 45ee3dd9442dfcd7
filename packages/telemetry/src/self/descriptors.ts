import {
  currentTask,
  decodeRecord,
  eq,
  ifThen,
  int,
  iterator,
  probe,
  record,
  type Scalar,
  struct,
  u32,
} from 'quark-ebpf/probe'
import { kernelBtf, ProbeSession } from 'quark-ebpf'

interface Task {
  readonly tgid: Scalar
  readonly cred: Scalar
}

interface File {
  readonly f_cred: Scalar
}

/** An execve(2) gives a process new credentials, also if they are the same, and a file keeps those that it was opened with. */
const files = probe(
  {
    name: 'own_files',
    hook: iterator('task_file', [
      struct<Task>('task_struct', 'task'),
      int('fd', 4),
      struct<File>('file', 'file'),
    ]),
    record: record(1, 'file', { fd: u32, isOwn: u32 }),
  },
  (task, fd, file) => ({
    when: eq(task.tgid, currentTask<Task>().tgid),
    fill: { fd, isOwn: ifThen(eq(file.f_cred, task.cred), 1) },
  }),
)

/**
 * Whether this process opened a descriptor itself, since its program was started, and did not get it from the one that
 * started it. Needs the rights to load BPF programs, and Linux 5.8; asked after rights were given up, it is wrong.
 *
 * @returns undefined when it cannot be known
 */
export function isOpenedHere(fd: number): boolean | undefined {
  try {
    using session = ProbeSession.open({ btf: kernelBtf(), ringSizeBytes: 4096 }, [files])
    session.attach(files)
    let isOwn: boolean | undefined
    session.iterate(files, {
      record: (_words, bytes, offset, length) => {
        const file = decodeRecord(files.record, bytes.subarray(offset, offset + length))
        if (file.fd === fd) isOwn = file.isOwn !== 0
      },
    })
    return isOwn
  } catch {
    return undefined
  }
}
