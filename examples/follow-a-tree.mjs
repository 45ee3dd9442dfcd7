// Starts a command, and prints what it and all that descends from it execute, until the last of them has ended. Run as root.
import { spawn } from 'node:child_process'
import { Quark, sanitise } from 'quark-telemetry'

// It waits for a line, so that nothing of it is missed. One process outlives the command, in a session of its own.
const script = 'read go; setsid sh -c "sleep 0.3; true" & ls / > /dev/null; exit 0'
const command = spawn('sh', ['-c', script], { stdio: ['pipe', 'inherit', 'inherit'] })

// With eBPF the kernel leaves out all other processes.
const quark = await Quark.open({
  where: { treeOf: command.pid, event: 'process' },
  signal: AbortSignal.timeout(10_000),
})
command.stdin.end('\n')

for await (const batch of quark.batches()) {
  for (const event of batch) {
    // Losses pass all filters.
    if (event.kind !== 'process' || !event.actions.includes('exec')) continue
    const { pid, argv } = event.process
    console.log(`${pid} ${sanitise(argv?.join(' ') ?? '?')}`)
  }
  // How many of them run, as of this batch.
  if (quark.treeSize() === 0) break
}
console.log(`${quark.stats().matched} events, and ${quark.stats().filtered} were left out`)
await quark.close()
