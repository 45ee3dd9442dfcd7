/**
 * Opens and closes queues over and over, in this thread or each in a worker that is terminated, and writes what the
 * process holds after every so many, as lines of JSON.
 *
 *   node --expose-gc cycles.js '{"backend":"ebpf","cycles":100,"every":20}'
 */

import { readdirSync, readFileSync, writeSync } from 'node:fs'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { BackendName } from '../options/declare.js'
import { Quark } from '../quark.js'

export interface CyclesOrder {
  readonly backend: BackendName
  readonly cycles: number
  /** Cycles between two lines. */
  readonly every: number
  readonly inWorkers?: boolean
}

/** What the process holds. */
export interface CyclesLine {
  readonly cycle: number
  readonly rssBytes: number
  readonly heapBytes: number
  readonly descriptors: number
  readonly mappings: number
  /** Mappings of descriptors and files: those that are not of the engine or the C library. */
  readonly namedMappings: number
}

function held(cycle: number): CyclesLine {
  const mappings = readFileSync('/proc/self/maps', 'latin1').trim().split('\n')
  const { rss, heapUsed } = process.memoryUsage()
  return {
    cycle,
    rssBytes: rss,
    heapBytes: heapUsed,
    descriptors: readdirSync('/proc/self/fd').length,
    mappings: mappings.length,
    namedMappings: mappings.filter((line) => / (\/|anon_inode)/.test(line)).length,
  }
}

async function once(backend: BackendName): Promise<void> {
  const quark = await Quark.open({ backends: [backend] })
  quark.poll()
  await quark.close()
}

/** A worker that waits for events when it is terminated. */
async function inWorker(backend: BackendName): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: backend })
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  await worker.terminate()
}

/** The engine gives up what it keeps only to collect later. */
async function collect(): Promise<void> {
  for (let i = 0; i < 3; i += 1) {
    ;(globalThis as { gc?: () => void }).gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

if (isMainThread) {
  const { backend, cycles, every, inWorkers = false } = JSON.parse(process.argv[2] ?? '{}') as CyclesOrder
  for (let cycle = 1; cycle <= cycles; cycle += 1) {
    await (inWorkers ? inWorker(backend) : once(backend))
    if (cycle % every !== 0) continue
    await collect()
    writeSync(1, `${JSON.stringify(held(cycle))}\n`)
  }
} else {
  const quark = await Quark.open({ backends: [workerData as BackendName] })
  quark.pollFd()
  void quark.wait()
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of a worker has no origins
  parentPort?.postMessage('waits')
  setInterval(() => void quark.wait(1000).catch(() => {}), 1000)
}
