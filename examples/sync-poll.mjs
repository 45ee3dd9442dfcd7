// A program that is in charge of its own time: it works, and asks for events when it likes. Run as root.
import { spawnSync } from 'node:child_process'
import { Quark } from 'quark-telemetry'

const quark = await Quark.open({ holdMs: 100 })
const ours = new Map()

function take(events, when) {
  for (const event of events) {
    if (event.kind !== 'process' || event.process.ppid !== process.pid) continue
    ours.set(event.process.pid, when)
  }
}

// Nothing here yields to Node's event loop, which `poll` does not need: it reads the ring itself.
for (let turn = 1; turn <= 5; turn++) {
  spawnSync('sleep', ['0.05'])
  take(quark.poll(), `turn ${turn}`)
}
// What is still held comes at once; nothing comes after it.
take(quark.finish(), 'the end')

for (const [pid, when] of ours) console.log(`child ${pid}: delivered at ${when}`)
await quark.close()
