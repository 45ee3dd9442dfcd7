/** A terminal with a shell in it, by script(1), into which keys are pressed. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'

export const CTRL_C = '\u0003'
export const CTRL_Z = '\u001a'

const LOOK_MS = 20
/** It only ends tests that would hang; it decides nothing. */
const LIMIT_MS = 60_000 * Number(process.env['TEST_SLOW'] ?? 1)

/** Whether this machine has script(1) of util-linux, and bash. */
export function hasTerminals(): boolean {
  const { status, stdout } = spawnSync('script', ['--version'], { encoding: 'utf8' })
  return status === 0 && stdout.includes('util-linux') && spawnSync('bash', ['-c', 'true']).status === 0
}

export class Terminal {
  readonly #script: ChildProcess
  #text = ''
  /** What was looked for so far lies before. */
  #from = 0

  /** @param shell the command that begins an interactive shell */
  constructor(shell = 'exec env PS1="ready> " TERM=dumb bash --norc --noprofile -i') {
    this.#script = spawn('script', ['-qfc', shell, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#script.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#text += text))
    // The shell may be gone when keys are pressed.
    this.#script.stdin?.on('error', () => {})
  }

  press(keys: string): void {
    this.#script.stdin?.write(keys)
  }

  /** Whether it shows a text behind the one that was seen last; what is before it counts as seen, too. */
  shows(text: string): boolean {
    const at = this.#text.indexOf(text, this.#from)
    if (at === -1) return false
    this.#from = at + text.length
    return true
  }

  /**
   * Waits for a text.
   *
   * @throws when it does not come
   */
  async seen(text: string, limitMs = LIMIT_MS): Promise<void> {
    const endMs = performance.now() + limitMs
    while (!this.shows(text)) {
      if (performance.now() > endMs) throw new Error(`The terminal does not show "${text}":\n${this.#text}`)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  }

  /** Closes the terminal, as when its window is closed. */
  close(): void {
    this.#script.kill('SIGKILL')
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
