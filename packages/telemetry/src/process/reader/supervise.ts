/**
 * The process that reads. It takes questions from its input, a line each, and answers by a line of its output. A thread does
 * the reading: one that hangs on a file system is left behind, and another goes on.
 */

import { setPriority } from 'node:os'
import { createInterface } from 'node:readline'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

/** A question with its number. */
export type Numbered<Q> = Q & { readonly n: number }

/** How something is read. */
export interface Reading<C, Q, A> {
  /** Of the program, which the thread runs too. */
  readonly url: string
  /** What hangs together: where one hangs, no other is tried for ten minutes. */
  keyOf(asked: Q): string | number
  /** The answer where there is none. */
  noAnswerTo(asked: Q): A
  /** Which of those that wait is next. Default: the first. */
  next?(waiting: readonly Q[]): number
  /** Makes what answers, in the thread. It calls `advance` while it gets further. */
  reader(config: C, advance: () => void): (asked: Q) => A
}

/** Of every configuration. */
export interface ReaderConfig {
  /** A thread that reads nothing for so long hangs. On a busy machine it is slow, which is something else. Default 10 s. */
  readonly answerMs?: number
}

interface Work<C> {
  readonly config: C
  readonly progress: Int32Array
}

const ANSWER_MS = 10_000
/** What hung is not tried again for so long. */
const HUNG_MS = 600_000
/** So many threads may hang. */
const MOST_HUNG = 4
/** So much that hung is remembered. */
const MOST_KEYS = 1024
const LOW_PRIORITY = 5

/** Runs the program: the process itself, or its thread. */
export function read<C extends ReaderConfig, Q extends object, A extends object>(
  reading: Reading<C, Q, A>,
): void {
  if (isMainThread) supervise(JSON.parse(process.argv[2] as string) as C, reading)
  else work(workerData as Work<C>, reading)
}

function supervise<C extends ReaderConfig, Q extends object, A extends object>(
  config: C,
  { url, keyOf, noAnswerTo, next: nextOf = () => 0 }: Reading<C, Q, A>,
): void {
  const waiting: Numbered<Q>[] = []
  const hungUntil = new Map<string | number, number>()
  let current: Numbered<Q> | undefined
  let timer: NodeJS.Timeout | undefined
  let hung = 0
  let progress = new Int32Array(new SharedArrayBuffer(4))
  let worker = start()

  function start(): Worker {
    progress = new Int32Array(new SharedArrayBuffer(4))
    const made = new Worker(new URL(url), { workerData: { config, progress } satisfies Work<C> })
    made.on('message', (answer: Numbered<A>) => {
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
    }, config.answerMs ?? ANSWER_MS)
  }

  function answered(answer: Numbered<A>): void {
    clearTimeout(timer)
    write(answer)
    current = undefined
    next()
  }

  /** Leaves the thread alone with the question that it has. */
  function restart(): void {
    if (current !== undefined) {
      if (hungUntil.size >= MOST_KEYS) hungUntil.clear()
      hungUntil.set(keyOf(current), performance.now() + HUNG_MS)
    }
    hung += 1
    void worker.terminate()
    if (hung < MOST_HUNG) worker = start()
    if (current !== undefined) answered({ n: current.n, ...noAnswerTo(current) })
  }

  function next(): void {
    while (current === undefined && waiting.length > 0) {
      const [asked] = waiting.splice(nextOf(waiting), 1) as [Numbered<Q>]
      if (hung >= MOST_HUNG || performance.now() < (hungUntil.get(keyOf(asked)) ?? 0)) {
        write({ n: asked.n, ...noAnswerTo(asked) })
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
      waiting.push(JSON.parse(line) as Numbered<Q>)
      next()
    })
    // A thread that hangs would be waited for.
    .on('close', () => process.kill(process.pid, 'SIGKILL'))
  process.stdout.on('error', () => process.kill(process.pid, 'SIGKILL'))
}

function write(answer: object): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}

function work<C, Q extends object, A extends object>(
  { config, progress }: Work<C>,
  { reader }: Reading<C, Q, A>,
): void {
  setPriority(LOW_PRIORITY)
  const answerTo = reader(config, () => void Atomics.add(progress, 0, 1))
  parentPort?.on('message', ({ n, ...asked }: Numbered<Q>) => {
    const answer = { n, ...answerTo(asked as unknown as Q) }
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
    parentPort?.postMessage(answer)
  })
}
