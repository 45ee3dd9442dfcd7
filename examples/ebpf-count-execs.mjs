// Counts programs by name as they start, for 10 seconds or until 100 have started. Run as root.
import { kernelBtf, ProbeSession } from 'quark-ebpf'
import { chars, decodeRecord, int, probe, record, struct, tracepoint, u32 } from 'quark-ebpf/probe'

const LIMIT = Number(process.argv[2] ?? 100)
const SECONDS = Number(process.argv[3] ?? 10)

const exec = record(1, 'exec', { pid: u32, parent: u32, comm: chars(16) })

// What fills it, in the kernel's own names. Offsets are looked up in the running kernel's BTF.
const execs = probe(
  {
    name: 'count_execs',
    hook: tracepoint('sched_process_exec', [struct('task_struct', 'task'), int('old_pid', 4)]),
    record: exec,
  },
  (task) => ({
    fill: { pid: task.tgid, parent: task.real_parent.tgid, comm: task.comm },
  }),
)

const session = ProbeSession.open({ btf: kernelBtf(), ringSizeBytes: 1 << 18 }, execs.maxSizeBytes)
try {
  console.log(`Attached ${session.attach(execs).hook}`)
  const counts = new Map()
  let seen = 0
  const end = Date.now() + SECONDS * 1000
  while (seen < LIMIT && Date.now() < end) {
    await session.wait('untilRecord', end - Date.now())
    seen += session.drain({
      record(_words, bytes, offset, length) {
        const { comm } = decodeRecord(exec, bytes.subarray(offset, offset + length))
        counts.set(comm, (counts.get(comm) ?? 0) + 1)
      },
    })
  }
  const rows = [...counts].sort(([, a], [, b]) => b - a)
  for (const [comm, count] of rows) console.log(`${String(count).padStart(6)} ${comm}`)
  console.log(`${seen} execs, ${session.counters().lost.get(1)} lost`)
} finally {
  session.close()
}
