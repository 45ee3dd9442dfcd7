/** Asks the process that reads files, and takes its answers. */

import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { UnreadReason } from '../../process/executable.js'
import {
  type AskedFile,
  type FileContent,
  type FileIdentity,
  keyOf,
  type ReaderLimits,
  scriptKeyOf,
} from './asked.js'

/** So many files may wait to be read; the others are left unread, and asked for again with their next exec. */
const MOST_WAITING = 1024
/** An answer is a line of bounded size: more without an end of it is none. */
const MAX_LINE = 1 << 16

export type Answered = (file: FileIdentity, content: FileContent) => void

/** The process that reads files, from its start on: it keeps the rights that this process has now. */
export class FileReader {
  readonly #child: ChildProcess
  readonly #answered: Answered
  readonly #asked = new Map<number, AskedFile>()
  readonly #keys = new Set<string>()
  #n = 0
  #rest = ''
  #isOver = false

  constructor(limits: ReaderLimits, answered: Answered) {
    this.#answered = answered
    const program = fileURLToPath(new URL('reader-main.js', import.meta.url))
    // Loaded when it is needed: that takes some ms of a start.
    const { spawn } = process.getBuiltinModule('node:child_process')
    const child = spawn(process.execPath, [program, JSON.stringify(limits)], {
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

  /** Asks what is in a file, unless that was asked and not answered yet, or too many questions wait. */
  ask(file: AskedFile): void {
    const key = pendingKeyOf(file)
    if (this.#keys.has(key)) return
    if (this.#isOver || this.#asked.size >= MOST_WAITING) {
      this.#answered(file, unreadOf(file, this.#isOver ? 'noReader' : 'noAnswer'))
      return
    }
    this.#n += 1
    this.#keys.add(key)
    this.#asked.set(this.#n, file)
    this.#child.stdin?.write(`${JSON.stringify({ n: this.#n, ...file })}\n`)
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
    const { n, ...content } = JSON.parse(line) as FileContent & { n: number }
    const file = this.#asked.get(n)
    if (file === undefined) return
    this.#asked.delete(n)
    this.#keys.delete(pendingKeyOf(file))
    this.#answered(file, content)
  }

  /** What was asked is not answered any more. */
  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const file of this.#asked.values()) this.#answered(file, unreadOf(file, 'noReader'))
    this.#asked.clear()
    this.#keys.clear()
  }
}

function pendingKeyOf(file: AskedFile): string {
  const { script, isKnown } = file
  const key = script === undefined ? keyOf(file) : scriptKeyOf(keyOf(file), script)
  return isKnown ? `${key} known` : key
}

function unreadOf({ isKnown, script }: AskedFile, unread: UnreadReason): FileContent {
  return { unread: isKnown ? undefined : unread, script }
}
