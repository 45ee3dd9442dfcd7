/** Runs getent(1) for a process that gives up its rights and its root directory: afterwards it can run nothing itself. */

import type { ChildProcess } from 'node:child_process'

/** As getent(1) calls them. */
export type Database = 'passwd' | 'group'

/** Nothing but ids and names of databases passes. Each answer ends with a line that is no entry. */
const SCRIPT = `
set -f
limit=
command -v timeout > /dev/null 2>&1 && limit='timeout 10'
while read -r database ids; do
  case "$ids" in *[!0-9\\ ]*) ids= ;; esac
  case "$database" in passwd | group) [ -n "$ids" ] && $limit "$0" "$database" $ids < /dev/null ;; esac
  echo .
done`
/** More than that is no answer. */
const MAX_OUTPUT = 1 << 20

/** Receives what getent wrote; undefined if nobody answers any more. */
export type Taken = (output: string | undefined) => void

/** A shell that was started in time. It ends with this process. */
export class KeptServices {
  readonly #child: ChildProcess
  readonly #asked: Taken[] = []
  #output = ''
  #isOver = false

  constructor(command: string) {
    const { spawn } = process.getBuiltinModule('node:child_process')
    const child = spawn('/bin/sh', ['-c', SCRIPT, command], {
      stdio: ['pipe', 'pipe', 'ignore'],
      // What ends this process from a terminal leaves it until its input ends.
      detached: true,
      cwd: '/',
    })
    this.#child = child
    child.on('error', () => this.#end())
    child.on('exit', () => this.#end())
    child.stdin?.on('error', () => undefined)
    child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#take(text))
    child.unref()
    for (const stream of [child.stdin, child.stdout]) (stream as { unref?(): void } | null)?.unref?.()
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  ask(database: Database, ids: readonly number[], taken: Taken): void {
    if (this.#isOver) {
      taken(undefined)
      return
    }
    this.#asked.push(taken)
    this.#child.stdin?.write(`${database} ${ids.join(' ')}\n`)
  }

  close(): void {
    this.#child.stdin?.end()
  }

  #take(text: string): void {
    this.#output += text
    for (let end = this.#endOfAnswer(); end !== -1; end = this.#endOfAnswer()) {
      const output = this.#output.slice(0, end)
      this.#output = this.#output.slice(end + 2)
      this.#asked.shift()?.(output)
    }
    if (this.#output.length > MAX_OUTPUT) this.#end()
  }

  #endOfAnswer(): number {
    if (this.#output.startsWith('.\n')) return 0
    const found = this.#output.indexOf('\n.\n')
    return found === -1 ? -1 : found + 1
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.close()
    this.#output = ''
    for (const taken of this.#asked.splice(0)) taken(undefined)
  }
}
