/** A process of its own that reads what may hang, or needs rights that this one gives up: asked and answered by lines of JSON. */

import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** An answer is a line of bounded size: more without an end of it is none. */
const MAX_LINE = 1 << 16

/** Who is told. */
export interface ReaderListener<Q, A> {
  answered(asked: Q, answer: A): void
  /** The process has ended by itself; these were not answered. */
  ended(unanswered: Iterable<Q>): void
}

/** It keeps the rights that this process has when it is started, and ends with this one. */
export class ReaderProcess<Q extends object, A extends object> {
  readonly #child: ChildProcess
  readonly #listener: ReaderListener<Q, A>
  readonly #asked = new Map<number, Q>()
  #n = 0
  #rest = ''
  #isOver = false

  /** `program` calls `supervise`, and is started with `config` as JSON. */
  constructor(program: URL, config: object, listener: ReaderListener<Q, A>) {
    this.#listener = listener
    // Loaded when it is needed: that takes some ms of a start.
    const { spawn } = process.getBuiltinModule('node:child_process')
    const child = spawn(process.execPath, [fileURLToPath(program), JSON.stringify(config)], {
      stdio: ['pipe', 'pipe', 'ignore'],
      // What ends this process from a terminal leaves it to answer until its input ends.
      detached: true,
      cwd: '/',
    })
    this.#child = child
    child.on('error', () => this.#end())
    child.on('exit', () => this.#end())
    child.stdin?.on('error', () => undefined)
    child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#take(text))
    // It keeps no process that is done with its work.
    child.unref()
    for (const stream of [child.stdin, child.stdout]) (stream as { unref?(): void } | null)?.unref?.()
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** It answers no more. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** How many questions are not answered yet. */
  get waiting(): number {
    return this.#asked.size
  }

  /** Asks, unless it is over. */
  ask(asked: Q): void {
    if (this.#isOver) return
    this.#n += 1
    this.#asked.set(this.#n, asked)
    this.#child.stdin?.write(`${JSON.stringify({ n: this.#n, ...asked })}\n`)
  }

  close(): void {
    this.#isOver = true
    this.#child.stdin?.end()
    this.#child.kill('SIGKILL')
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = (lines.pop() ?? '').slice(0, MAX_LINE)
    for (const line of lines) this.#takeLine(line)
  }

  #takeLine(line: string): void {
    const { n, ...answer } = JSON.parse(line) as A & { n: number }
    const asked = this.#asked.get(n)
    if (asked === undefined) return
    this.#asked.delete(n)
    this.#listener.answered(asked, answer as unknown as A)
  }

  /** What was asked is not answered any more. */
  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    const unanswered = [...this.#asked.values()]
    this.#asked.clear()
    this.#listener.ended(unanswered)
  }
}
