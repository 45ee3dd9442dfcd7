/** Floods of files: what is not delivered is declared as lost, nothing is told twice, and no process is lost for it. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { kernelAtLeast } from 'quark-ebpf'
import { openWith } from './testing/rungs.js'
import { hasPython } from './testing/situations.js'
import { isFile } from './testing/watch.js'
import { runWatched } from './testing/watched.js'

/** Machines that are slower make fewer. */
const SLOW = Number(process.env['TEST_SLOW'] ?? 1)
const FILES = Math.round(50_000 / SLOW)
const PROCESSES = Math.round(2000 / SLOW)

const FLOOD = `
import os, sys
for i in range(${FILES}):
    name = f'f{i}'
    os.close(os.open(name, os.O_WRONLY | os.O_CREAT))
    os.unlink(name)
`

interface ProcessLike {
  readonly kind: string
  readonly actions?: readonly string[]
  readonly process?: { readonly comm?: string; readonly argv?: readonly string[] }
}

test(
  `${2 * FILES} changes of files in a burst, and ${PROCESSES} processes beside them`,
  { timeout: 300_000, skip: !hasPython && 'there is no Python' },
  async (t) => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), 'quark-burst-')))
    t.after(() => rmSync(root, { recursive: true }))
    const command = `cd ${root}; python3 -c "${FLOOD}" & for i in $(seq ${PROCESSES}); do /bin/true $i; done; wait`
    const { events, all, quark } = await runWatched(root, command, { holdMs: 1000 })
    const stats = quark.stats()
    t.diagnostic(
      JSON.stringify({
        produced: stats.produced,
        lost: stats.lost,
        by: stats.lostRingFull,
        tables: stats.tables['file'],
      }),
    )
    const told = new Map<string, number>()
    for (const { actions, path } of events) {
      for (const action of actions) {
        if (action !== 'create' && action !== 'remove') continue
        const key = `${action} ${path}`
        told.set(key, (told.get(key) ?? 0) + 1)
      }
    }
    const twice = [...told].filter(([, count]) => count > 1).map(([key]) => key)
    const missing = 2 * FILES - told.size
    // Each change is a record, and each record is an event, or declared.
    const { fileDone = 0, fileNamed = 0 } = stats.produced
    const made = fileDone + fileNamed
    assert.ok(
      made <= 2 * FILES && made + stats.lostRecursion >= 2 * FILES,
      `${made} records, and ${stats.lostRecursion} runs were skipped`,
    )
    const lostCalls =
      (stats.lostRingFull['fileDone'] ?? 0) + (stats.lostRingFull['fileNamed'] ?? 0) + stats.lostRecursion
    assert.ok(
      told.size >= 2 * FILES - lostCalls,
      `${told.size} changes were told, and ${lostCalls} records of calls were lost`,
    )
    t.diagnostic(`${told.size} of ${2 * FILES} changes were told, ${twice.length} of them twice`)
    assert.deepEqual(twice.slice(0, 5), [])
    assert.ok(
      missing >= 0 && missing <= stats.lost,
      `${missing} changes are missing, and ${stats.lost} records were lost`,
    )
    const wanted = new Set(Array.from({ length: PROCESSES }, (_, i) => String(i + 1)))
    for (const { kind, actions, process } of all as readonly ProcessLike[]) {
      if (kind !== 'process' || actions?.includes('exit') !== true) continue
      if (process?.argv?.[0] === '/bin/true') wanted.delete(process.argv[1] ?? '')
    }
    assert.deepEqual([...wanted], [], 'processes are missing')
  },
)

/** More than the queue of fanotify holds. */
const MANY = 20_000

test(
  'a queue of fanotify that is full while nobody reads is declared, and the events in it are delivered',
  { timeout: 120_000, skip: !hasPython && 'there is no Python' },
  async (t) => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), 'quark-full-')))
    t.after(() => rmSync(root, { recursive: true }))
    const quark = await openWith('notices', { files: [root], holdMs: 100 })
    if (typeof quark === 'string') {
      assert.ok(!kernelAtLeast('5.17'), quark)
      return t.skip(quark)
    }
    const events: { readonly kind: string }[] = []
    const python = (code: string): void => {
      const touch = 'def touch(n): os.close(os.open(n, os.O_CREAT, 0o644))'
      const { status } = spawnSync('python3', ['-c', `import os\n${touch}\n${code}`], { cwd: root })
      assert.equal(status, 0)
    }
    // What is read last is held for a while.
    const drain = async (): Promise<void> => {
      for (let quiet = 0; quiet < 30; quiet += 1) {
        const got = quark.poll()
        events.push(...got)
        // Others on the machine may go on for ever.
        if (got.some(isFile)) quiet = 0
        await sleep(10)
      }
    }
    python(`os.mkdir('a'); touch('a/f')`)
    await drain()
    // Nothing is read before it is over; that the directory moved comes when the queue is full.
    python(`for i in range(${MANY}): touch(f'f{i}')\nos.rename('a', 'b')`)
    await drain()
    python(`touch('b/g')`)
    events.push(...quark.finish())
    await quark.close()
    const paths = events.filter(isFile).map(({ path }) => path?.replace(`${root}/`, ''))
    assert.deepEqual(
      paths.filter((path) => path?.includes('/') === true),
      ['a/f', 'b/g'],
    )
    const created = new Set(events.filter(isFile).map(({ path }) => path)).size
    t.diagnostic(`${created} of ${MANY} were seen; ${quark.stats().lost} declared`)
    assert.ok(quark.stats().lost > 0)
    assert.ok(events.some(({ kind }) => kind === 'lost'))
    assert.ok(created > 1000, `${created} were seen`)
  },
)
