// In the process of every test file (see test.mjs): fails the file when its tests left descriptors or mappings
// of quark-ebpf open.
import { Fd } from '../packages/ebpf/dist/sys/fd.js'
import { MappedMemory } from '../packages/ebpf/dist/sys/memory.js'

// Programs that tests start are not tests.
delete process.env.NODE_OPTIONS

process.on('exit', () => {
  const descriptors = Fd.openCount()
  const mappings = MappedMemory.openCount()
  if (descriptors === 0 && mappings === 0) return
  console.error(`✖ ${process.argv[1]} leaks: ${descriptors} descriptors, ${mappings} mappings left open`)
  process.exitCode = 1
})
