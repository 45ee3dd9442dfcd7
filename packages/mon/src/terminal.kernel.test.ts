import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { COMMAND } from './testing/command.js'

const SLOW = Number(process.env['TEST_SLOW'] ?? 1)
const LIMIT_MS = 60_000 * SLOW
/** Guests have no script(1). */
const skip = process.env['KERNEL_TEST_FILE'] === undefined ? false : 'not in guests'

/** A shell on a terminal of its own, from script(1), that goes on with each line that it is given. */
class Terminal {
  out = ''
  readonly #child
  readonly #closed: Promise<void>

  constructor(t: TestContext, script: string, environment: Record<string, string>) {
    const folder = mkdtempSync(join(tmpdir(), 'terminal-'))
    this.#child = spawn('script', ['-qec', script, '/dev/null'], {
      cwd: folder,
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'] ?? '', SHELL: '/bin/sh', TERM: 'xterm', ...environment },
    })
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => (this.out += text))
    this.#closed = new Promise((resolve) => this.#child.on('close', () => resolve()))
    t.after(() => {
      this.#child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    })
  }

  /** Waits until so much is written, and lets the shell go on. */
  async goOnAfter(pattern: RegExp): Promise<void> {
    for (const startedMs = Date.now(); !pattern.test(this.out);) {
      assert.ok(Date.now() - startedMs < LIMIT_MS, `no ${pattern} in ${this.out}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    this.#child.stdin.write('\n')
  }

  /** Waits for the end of the shell; then all lines. */
  async lines(): Promise<string[]> {
    await this.#closed
    return this.out.split(/\r?\n/)
  }
}

/** Shows its own children, of which each has a long argument. */
const script = `
stty -echo cols 160 rows 40
${process.execPath} ${COMMAND} -v --ppid=$$ 2> errors < /dev/null &
mon=$!
until grep -q 'backend ' errors; do sleep 0.1; done
env first ${'x'.repeat(200)} 2> /dev/null
read -r _
stty cols 40
env second ${'y'.repeat(200)} 2> /dev/null
read -r _
kill -INT $mon
wait $mon
`

test('text on a terminal is cut at its width, and follows when that changes', { skip }, async (t) => {
  const terminal = new Terminal(t, script, { LANG: 'C.UTF-8', NO_COLOR: '1' })
  await terminal.goOnAfter(/first x+… # exit 127/)
  await terminal.goOnAfter(/env secon/)
  const lines = await terminal.lines()
  const lineOf = (pattern: RegExp): string => lines.find((line) => pattern.test(line)) ?? ''
  assert.equal([...lineOf(/ env first x/)].length, 160)
  assert.equal([...lineOf(/ env secon/)].length, 40)
  assert.match(lineOf(/USER +PARENT/), /^\d{4}-\d\d-\d\d +WHAT +PID USER +PARENT +COMMAND/)
  assert.match(lineOf(/PID COMMAND/), /^\d{4}-\d\d-\d\d +WHAT +PID COMMAND/)
  // oxlint-disable-next-line no-control-regex -- none may be there
  assert.doesNotMatch(terminal.out, /\u001b/)
})

test('text on a terminal of 20 columns with the locale C is ASCII, and coloured', { skip }, async (t) => {
  const [small = ''] = script.replace('cols 160', 'cols 20').split('stty cols 40')
  const terminal = new Terminal(t, `${small}\nkill -INT $mon; wait $mon\n`, { LC_ALL: 'C' })
  await terminal.goOnAfter(/env f\.\.\./)
  // oxlint-disable-next-line no-control-regex -- colours are control sequences
  const shown = (await terminal.lines()).map((line) => line.replace(/\u001b\[[\d;]*m/g, ''))
  assert.match(shown.join('\n'), /^WHAT +PID COMMAND/m)
  assert.match(shown.join('\n'), /^run +\d+ env f\.\.\.$/m)
  assert.ok(terminal.out.includes('\u001b[32mrun'))
  for (const line of shown) assert.match(line, /^[ -~]*$/)
  for (const line of shown.filter((one) => /^(run|WHAT)/.test(one))) assert.ok(line.length <= 20, line)
})
