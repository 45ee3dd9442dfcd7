/** Tests in which system calls of a backend fail. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { BackendName } from '../options/declare.js'
import type { WalkLine, WalkOrder } from './fault-walk.js'

/** Every call, instead of some of each kind: `npm run test:faults`. It takes many minutes. */
export const isFull = process.env['QUARK_FAULTS'] === 'all'
export const LIMIT_MS = isFull ? 3_600_000 : 540_000

const WALK = fileURLToPath(new URL('fault-walk.js', import.meta.url))

/** The lines of a walk, which must not hang or crash. */
export async function walk(order: WalkOrder): Promise<WalkLine[]> {
  const child = spawn(process.execPath, [WALK, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: LIMIT_MS - 20_000,
    killSignal: 'SIGKILL',
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  const lines = said
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as WalkLine)
  assert.deepEqual([code, signal], [0, null], `it ended after ${JSON.stringify(lines.at(-1))}`)
  return lines
}

function named({ call }: WalkLine): string {
  return call === undefined ? 'a good queue' : `${call.kind} ${call.nth} of ${call.phase}`
}

/** What is wrong with what came of a queue. */
export function complaintsAbout(line: WalkLine): string[] {
  const { call, code, message, missing, lost, isWhole, left } = line
  const complaints = left.map((what) => `left ${what}`)
  if (message !== undefined) {
    if (code?.startsWith('ERR_') !== true)
      complaints.push(`an error without a code of ours: ${code}, ${message}`)
  } else if (!isWhole && lost === 0 && missing.length === 0 && call?.kind.endsWith('of a process') !== true) {
    complaints.push('a process is missing, and nothing was said')
  }
  return complaints.map((complaint) => `${named(line)}: ${complaint}`)
}

/** What is wrong with a queue in which nothing may be seen of a fault. */
export function complaintsAboutGood(line: WalkLine): string[] {
  const { message, missing } = line
  const complaints = missing.map((fact) => `lacks ${fact}`)
  if (message !== undefined) complaints.push(message)
  return [...complaintsAbout(line), ...complaints.map((complaint) => `${named(line)}: ${complaint}`)]
}

/** The tests of a backend. `most` calls of each kind fail, unless all do. */
export function testFaults(backend: BackendName, skip: string | false, most: number): void {
  test(
    `${backend}: a call that fails is an error or a declared gap, and leaves nothing`,
    { skip, timeout: LIMIT_MS },
    async (t) => {
      // The kernel audits only processes that began after auditing was on for the first time.
      if (backend === 'audit') await walk({ backend, part: 'count' })
      const lines = await walk({ backend, part: 'usual', ...(isFull ? {} : { most }) })
      assert.deepEqual(lines.flatMap(complaintsAbout), [])
      assert.deepEqual(complaintsAboutGood(lines.at(-1) as WalkLine), [])
      const reached = lines.filter(({ isReached }) => isReached)
      t.diagnostic(
        `${reached.length} calls failed, ${reached.filter(({ code }) => code !== undefined).length} with an error`,
      )
      // How often the queue reads while it runs, and what of processes, depends on what else runs on the machine.
      const kinds = (some: readonly WalkLine[]): string[] =>
        [
          ...new Set(
            some.flatMap(({ call }) =>
              call === undefined || call.phase === 'run' || call.kind.endsWith('of a process')
                ? []
                : [`${call.phase} ${call.kind}`],
            ),
          ),
        ].sort()
      assert.deepEqual(kinds(reached), kinds(lines))
    },
  )

  test(`${backend}: a call that a signal interrupts is made again`, { skip, timeout: LIMIT_MS }, async () => {
    const lines = await walk({ backend, part: 'transient', ...(isFull ? {} : { most: 1 }) })
    assert.ok(lines.some(({ isReached }) => isReached))
    assert.deepEqual(lines.flatMap(complaintsAboutGood), [])
  })
}
