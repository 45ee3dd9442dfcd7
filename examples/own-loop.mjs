// An event loop that is not Node's waits for events, here poll(2) by way of koffi. Run as root.
import { spawnSync } from 'node:child_process'
import koffi from 'koffi'
import { Quark } from 'quark-telemetry'

const POLLIN = 1
const poll = koffi.load(null).func('poll', 'int', ['void *', 'ulong', 'int'])

/** Blocks until one of the descriptors is readable, at most `ms`. */
function waitFor(fds, ms) {
  const requests = Buffer.alloc(8 * fds.length)
  for (const [index, fd] of fds.entries()) {
    requests.writeInt32LE(fd, index * 8)
    requests.writeInt16LE(POLLIN, index * 8 + 4)
  }
  return poll(requests, fds.length, ms)
}

const quark = await Quark.open({ holdMs: 100 })
const fd = quark.pollFd()
const { pid } = spawnSync('true')

let turns = 0
for (let isSeen = false; !isSeen && turns < 1000; turns++) {
  // A real loop has more descriptors than this one.
  waitFor([fd], 10_000)
  for (const event of quark.poll()) {
    if (event.kind !== 'process' || event.process.pid !== pid) continue
    isSeen = true
    console.log(`${event.actions.join()} of ${event.process.exe}`)
  }
}
await quark.close()
