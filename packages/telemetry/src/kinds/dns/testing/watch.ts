/** Runs commands while names are watched. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { SLOW } from '../../../names/testing/limit.js'
import type { QuarkEvent, QuarkOptions } from '../../index.js'
import { Quark } from '../../../quark.js'
import type { DnsEvent } from '../events.js'

/** What comes together is together, however slow the machine is. */
const HOLD_MS = 800 * SLOW
const WAIT_MS = 50

/** What these tests look at in events of connections, which are another kind's. */
export interface ConnectionLike {
  readonly pid: number | undefined
  readonly actions: readonly string[]
  readonly direction: string | undefined
  readonly remoteIp: string | undefined
  readonly remotePort: number | undefined
  readonly localPort: number | undefined
  readonly process: { readonly comm?: string | undefined } | undefined
  readonly remoteName: string | undefined
  readonly remoteNameSource: string | undefined
}

/** What happened while something ran. */
export interface Watched {
  readonly dns: readonly DnsEvent[]
  readonly connections: readonly ConnectionLike[]
  readonly quark: Quark
}

/** The events of what `run` does. */
export async function watch(run: () => Promise<void>, options: QuarkOptions = {}): Promise<Watched> {
  const quark = await Quark.open({
    dns: true,
    sockets: true,
    backends: ['ebpf'],
    ringSizeBytes: 2 ** 24,
    holdMs: HOLD_MS,
    ...options,
  })
  const events: QuarkEvent[] = []
  const over = new AbortController()
  const reading = (async () => {
    for (; !over.signal.aborted; await quark.wait(WAIT_MS)) events.push(...quark.poll())
  })()
  try {
    await run()
    // Ends of connections come a little later.
    await sleep(WAIT_MS * 4)
  } finally {
    over.abort()
    await reading
    // However slow the machine is: all that programs saw until now.
    events.push(...quark.finish())
    await quark.close()
  }
  const of = (kind: string) => events.filter((event) => event.kind === kind) as unknown[]
  return { dns: of('dns') as DnsEvent[], connections: of('connection') as ConnectionLike[], quark }
}

/** A process that prints `ready` when it is. */
export class Helper implements AsyncDisposable {
  text = ''
  readonly #child: ChildProcess

  private constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#child.stdout?.on('data', (bytes: Buffer) => (this.text += bytes.toString('latin1')))
  }

  /** @param isReady in what it prints */
  static async start(command: string, args: readonly string[], isReady = /^ready$/m): Promise<Helper> {
    const helper = new Helper(command, args)
    for (let tries = 0; !isReady.test(helper.text); tries++) {
      if (tries > 400 * SLOW || helper.#child.exitCode !== null) throw new Error(`${command}: ${helper.text}`)
      await sleep(25)
    }
    return helper
  }

  get pid(): number {
    return this.#child.pid as number
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}

/** Runs a command to its end; its pid and what it printed. */
export async function runCommand(
  command: string,
  args: readonly string[],
  input = '',
): Promise<{ pid: number; text: string; status: number | null }> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  // It may end without reading.
  child.stdin.on('error', () => {}).end(input)
  let text = ''
  child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')))
  const [status] = (await once(child, 'close')) as [number | null]
  return { pid: child.pid as number, text, status }
}
