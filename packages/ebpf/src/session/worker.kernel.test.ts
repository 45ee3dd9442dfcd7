import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { kernelTest } from '../testing/kernel-test.js'
import { execProbe, openSession } from '../testing/process-probes.js'

const FILE = new URL(import.meta.url)
const ROUNDS = 8

function descriptors(): number {
  return readdirSync('/proc/self/fd').length
}

function mappings(): number {
  return (
    readFileSync('/proc/self/maps', 'latin1').match(/bpf-map|bpf_ringbuf|anon_inode|btf.vmlinux/g)?.length ??
    0
  )
}

if (!isMainThread) {
  const session = openSession()
  session.attach(execProbe)
  void session.wait('untilRecord', -1)
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of a worker has no origins
  parentPort?.postMessage('waits')
  // Whatever wakes it, it goes back to sleep.
  setInterval(() => void session.wait('untilRecord', -1).catch(() => {}), 10)
} else {
  kernelTest(
    'a worker that is terminated while its session waits ends at once and leaves nothing',
    '5.8',
    async () => {
      const round = async (): Promise<number> => {
        const worker = new Worker(FILE)
        await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
        const begin = performance.now()
        await worker.terminate()
        return performance.now() - begin
      }
      await round()
      const before = { descriptors: descriptors(), mappings: mappings() }
      let slowestMs = 0
      for (let i = 0; i < ROUNDS; i++) slowestMs = Math.max(slowestMs, await round())
      assert.deepEqual({ descriptors: descriptors(), mappings: mappings() }, before)
      // The thread of a wait used to hold it up for as long as the wait lasted.
      assert.ok(slowestMs < 500 * Number(process.env['TEST_SLOW'] ?? 1), `${slowestMs} ms`)
    },
  )

  kernelTest('waiting sessions take no thread of the pool, however many they are', '5.8', async () => {
    const sessions = Array.from({ length: 8 }, () => openSession())
    try {
      const waits = sessions.map((session) => session.wait('untilRecord', 60_000))
      // There are four threads by default: with them taken, this would not end.
      await readFile('/proc/self/stat')
      for (const session of sessions) session.wake()
      await Promise.all(waits)
    } finally {
      for (const session of sessions) session.close()
    }
  })
}
