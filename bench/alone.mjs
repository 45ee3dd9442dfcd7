/** Benches that flood the machine run one at a time: each would measure the floods of the other. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** An abstract socket: it is gone with the process that has it. */
const NAME = '\0quark-bench-flood'
const RETRY_MS = 1000

/** Waits until no other bench floods this machine; holds until this process ends. */
export async function alone() {
  for (let tries = 0; ; tries++) {
    const server = createServer()
    try {
      server.listen(NAME)
      await once(server, 'listening')
      server.unref()
      return
    } catch (error) {
      if (error.code !== 'EADDRINUSE') throw error
    }
    if (tries === 0) console.error('waiting for another bench that floods this machine …')
    await sleep(RETRY_MS)
  }
}
