/** Runs programs that do something, and collects the events about it: live, and from a recording. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { QuarkEvent, QuarkOptions } from '../kinds/index.js'
import { Quark } from '../quark.js'
import type { Capabilities } from '../pipeline/stats.js'

/** An event as a plain object, without what is not known. */
export type Plain = Readonly<Record<string, unknown>>

/** What a program reported. */
export type ActivityFacts = { readonly pid: number } & Readonly<Record<string, unknown>>

const LIMIT_MS = 30_000 * Number(process.env['TEST_SLOW'] ?? 1)

/** Runs a program of a test, a module of this package, to its end. */
export async function runActivity(module: URL, ...args: readonly string[]): Promise<ActivityFacts> {
  const child = spawn(process.execPath, [fileURLToPath(module), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: LIMIT_MS,
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (code !== 0) throw new Error(`${fileURLToPath(module)} ended with ${code ?? signal}: ${output}`)
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as ActivityFacts
}

/** What a queue saw of programs. */
export interface Watched {
  readonly facts: ActivityFacts
  readonly events: readonly QuarkEvent[]
  readonly capabilities: Capabilities
}

/**
 * Watches programs, until nothing of them was lost. A replay of the recording has to give the same events.
 *
 * @param kind of the events that are compared
 */
export async function watchActivity(
  t: TestContext,
  options: QuarkOptions,
  kind: QuarkEvent['kind'],
  activities: () => Promise<ActivityFacts>,
): Promise<Watched> {
  const recording = join(mkdtempSync(join(tmpdir(), 'quark-activities-')), 'recording')
  t.after(() => rmSync(dirname(recording), { recursive: true }))
  for (let tries = 1; ; tries += 1) {
    const quark = await Quark.open({
      backends: ['ebpf'],
      aggregation: 'none',
      ringSizeBytes: 2 ** 24,
      record: recording,
      truncate: true,
      ...options,
    })
    const facts = await activities()
    const events = quark.finish()
    await quark.close()
    const { lost } = quark.stats()
    if (lost > 0) {
      assert.ok(tries < 5, `${lost} records were lost, five times`)
      continue
    }
    const replay = await Quark.replay(recording, { aggregation: 'none' })
    const replayed: QuarkEvent[] = []
    for await (const event of replay) replayed.push(event)
    await replay.close()
    assert.deepEqual(replayed.filter(isOf(kind)).map(plain), events.filter(isOf(kind)).map(plain))
    return { facts, events, capabilities: quark.capabilities }
  }
}

function isOf(kind: string): (event: QuarkEvent) => boolean {
  return (event) => event.kind === kind
}

/** What is the same in a replay. */
function plain(event: QuarkEvent): object {
  const {
    process,
    relatives: _relatives,
    ...rest
  } = event as { process?: { entityId?: string }; relatives?: object }
  return { ...rest, process: process?.entityId }
}

/** The events of a kind that a process caused, without what is not known, and without the time. */
export function activitiesOf(events: readonly QuarkEvent[], kind: string, pid: number): Plain[] {
  return events.flatMap((event) => {
    const { kind: is, process, pid: by } = event as { kind: string; process?: { pid?: number }; pid?: number }
    if (is !== kind || by !== pid) return []
    assert.equal(process?.pid, pid)
    return [knownOf(event)]
  })
}

/** An event without what is not known, the time, and the process; of a target the pid and the name. */
export function knownOf(event: QuarkEvent): Plain {
  const {
    process: _process,
    relatives: _relatives,
    timeNs: _time,
    kind: _kind,
    target,
    ...rest
  } = event as unknown as Record<string, unknown>
  const { pid: targetPid, comm: targetName } = (target ?? {}) as { pid?: number; comm?: string }
  const all: Plain = { ...rest, targetPid, targetName }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined && value !== false))
}
