/** Runs the installed command, as from a shell. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The file that the package installs as quark-mon. */
export const COMMAND = fileURLToPath(new URL('../../bin/quark-mon.cjs', import.meta.url))

/** The file that the package installs as quark-btf. */
export const BTF_COMMAND = fileURLToPath(new URL('../../bin/quark-btf.cjs', import.meta.url))

/** Most time that a run may take. It only ends runs that would hang; it decides nothing. */
const LIMIT_MS = 60_000 * Number(process.env['TEST_SLOW'] ?? 1)

/** Most characters that a pattern matches. */
const LONGEST_MATCH = 1000

/** The output of a run, and how it ended. */
export interface Run {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly err: string
}

/** A command that is running. */
export class Running {
  readonly child: ChildProcess
  #out = ''
  #err = ''
  readonly #exit: Promise<Run>

  /** @param input what standard input is */
  constructor(args: readonly string[], cwd?: string, input: 'ignore' | 'pipe' = 'ignore') {
    this.child = spawn(process.execPath, [COMMAND, ...args], {
      stdio: [input, 'pipe', 'pipe'],
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
      ...(cwd === undefined ? {} : { cwd }),
    })
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#out += text))
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#err += text))
    this.#exit = new Promise((resolve, reject) => {
      this.child.on('error', reject)
      this.child.on('close', (code, signal) => resolve({ code, signal, out: this.#out, err: this.#err }))
    })
  }

  get pid(): number {
    const { pid } = this.child
    if (pid === undefined) throw new Error('The command did not start')
    return pid
  }

  /**
   * Waits until standard output matches.
   *
   * @throws when the run ends before
   */
  seen(pattern: RegExp): Promise<void> {
    return this.#matched(() => this.#out, pattern)
  }

  /**
   * Waits until standard error matches.
   *
   * @throws when the run ends before
   */
  noted(pattern: RegExp): Promise<void> {
    return this.#matched(() => this.#err, pattern)
  }

  async #matched(text: () => string, pattern: RegExp): Promise<void> {
    let ended: Run | undefined
    void this.#exit.then((run) => (ended = run))
    // On a busy machine the output is long: only what is new is searched, and as much before as may belong to it.
    let from = 0
    while (!pattern.test(text().slice(Math.max(0, from - LONGEST_MATCH)))) {
      from = text().length
      if (ended !== undefined) throw new Error(`The command ended without ${pattern}: ${ended.err}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  /** Waits for the end. */
  ended(): Promise<Run> {
    return this.#exit
  }
}

/** Runs the command to its end, as another user when there is one. */
export function runCommand(args: readonly string[], uid?: number): Run {
  return runFile(COMMAND, args, uid)
}

/** Runs quark-btf to its end. */
export function runBtf(args: readonly string[]): Run {
  return runFile(BTF_COMMAND, args)
}

function runFile(file: string, args: readonly string[], uid?: number): Run {
  const { error, status, signal, stdout, stderr } = spawnSync(process.execPath, [file, ...args], {
    encoding: 'utf8',
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
    maxBuffer: 2 ** 29,
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  if (error !== undefined) throw error
  return { code: status, signal, out: stdout, err: stderr }
}
