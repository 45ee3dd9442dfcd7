/**
 * The process that reads files. It takes questions from its input, a line each, and answers by a line of its output. The
 * files are read by a thread: one that hangs on a file system is left behind, and another goes on.
 */

import { setPriority } from 'node:os'
import { createInterface } from 'node:readline'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { AskedFile, FileContent, ReaderLimits } from './asked.js'
import { Packages } from './packages.js'
import { readFile, rootOf } from './read-file.js'

/** A question with its number. */
interface Asked extends AskedFile {
  readonly n: number
}

/** What a thread is started with: `progress` is counted up in the first number. */
interface Work {
  readonly limits: ReaderLimits
  readonly progress: Int32Array
}

interface Answer extends FileContent {
  readonly n: number
}

/** A thread that gets no further for so long hangs. On a busy machine it is slow, which is something else. */
const ANSWER_MS = 10_000
/** A device that did not answer is not read from for so long. */
const HUNG_MS = 600_000
/** So many threads may hang. */
const MOST_HUNG = 4
const LOW_PRIORITY = 5
const BURST_S = 1

if (isMainThread) supervise(JSON.parse(process.argv[2] as string) as ReaderLimits)
else work(workerData as Work)

function supervise(limits: ReaderLimits): void {
  const waiting: Asked[] = []
  const hungUntil = new Map<number, number>()
  let current: Asked | undefined
  let timer: NodeJS.Timeout | undefined
  let hung = 0
  let progress = new Int32Array(new SharedArrayBuffer(4))
  let worker = start()

  function start(): Worker {
    progress = new Int32Array(new SharedArrayBuffer(4))
    const made = new Worker(new URL(import.meta.url), { workerData: { limits, progress } satisfies Work })
    made.on('message', (answer: Answer) => {
      // One that was left behind may go on after all.
      if (made === worker) answered(answer)
    })
    made.on('error', () => {
      if (made === worker) restart()
    })
    return made
  }

  /** Waits for the thread to get further than it had. */
  function watch(before: number): void {
    timer = setTimeout(() => {
      const now = progress[0] as number
      if (now === before) restart()
      else watch(now)
    }, limits.answerMs ?? ANSWER_MS)
  }

  function answered(answer: Answer): void {
    clearTimeout(timer)
    write(answer)
    current = undefined
    next()
  }

  /** Leaves the thread alone with the question that it has. */
  function restart(): void {
    if (current !== undefined) hungUntil.set(current.device, performance.now() + HUNG_MS)
    hung += 1
    void worker.terminate()
    if (hung < MOST_HUNG) worker = start()
    if (current !== undefined) answered(noAnswerTo(current))
  }

  function next(): void {
    while (current === undefined && waiting.length > 0) {
      const [asked] = waiting.splice(smallestOf(waiting), 1) as [Asked]
      if (hung >= MOST_HUNG || performance.now() < (hungUntil.get(asked.device) ?? 0)) {
        write(noAnswerTo(asked))
        continue
      }
      current = asked
      watch(progress[0] as number)
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
      worker.postMessage(asked)
    }
  }

  createInterface({ input: process.stdin })
    .on('line', (line) => {
      waiting.push(JSON.parse(line) as Asked)
      next()
    })
    // A thread that hangs would be waited for.
    .on('close', () => process.kill(process.pid, 'SIGKILL'))
  process.stdout.on('error', () => process.kill(process.pid, 'SIGKILL'))
}

/** Small files do not wait for large ones. */
function smallestOf(waiting: readonly Asked[]): number {
  let found = 0
  for (const [index, { sizeBytes }] of waiting.entries()) {
    if (sizeBytes < (waiting[found] as Asked).sizeBytes) found = index
  }
  return found
}

function write(answer: Answer): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}

function noAnswerTo({ n, isKnown, script }: Asked): Answer {
  return { n, ...(isKnown ? {} : { unread: 'noAnswer' }), ...(script === undefined ? {} : { script }) }
}

function work({ limits, progress }: Work): void {
  const advance = (): void => void Atomics.add(progress, 0, 1)
  setPriority(LOW_PRIORITY)
  const pace = paceOf(limits.bytesPerSecond, advance)
  const packages = limits.packages ? new Packages(advance) : undefined
  parentPort?.on('message', ({ n, ...asked }: Asked) => {
    const content = asked.isKnown ? {} : readFile(asked, limits.maxBytes, pace)
    const answer: Answer = { n, ...content, ...ownersOf(asked, packages) }
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
    parentPort?.postMessage(answer)
  })
}

function ownersOf(asked: AskedFile, packages: Packages | undefined): FileContent {
  const root = packages === undefined ? undefined : rootOf(asked)
  if (packages === undefined || root === undefined)
    return asked.script === undefined ? {} : { script: asked.script }
  const { path, script, isKnown } = asked
  return {
    ...(path === undefined || isKnown ? {} : { package: packages.ownerOf(root, path) }),
    ...(script === undefined ? {} : { script, scriptPackage: packages.ownerOf(root, script) }),
  }
}

/** Waits as long as bytes have to: a second's worth may be read at once. */
function paceOf(bytesPerSecond: number, advance: () => void): (bytes: number) => void {
  const cell = new Int32Array(new SharedArrayBuffer(4))
  let left = bytesPerSecond * BURST_S
  let lastMs = performance.now()
  return (bytes) => {
    advance()
    const now = performance.now()
    left = Math.min(bytesPerSecond * BURST_S, left + ((now - lastMs) / 1000) * bytesPerSecond)
    lastMs = now
    left -= bytes
    if (left < 0) Atomics.wait(cell, 0, 0, (-left / bytesPerSecond) * 1000)
  }
}
