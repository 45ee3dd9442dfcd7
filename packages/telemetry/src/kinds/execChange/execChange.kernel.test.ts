import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import type { ExecChange } from '../../process/exec-change.js'
import type { Kind } from '../kind.js'
import { Quark } from '../../quark.js'
import { SORTS } from '../../testing/rung-sorts.js'
import { openWay } from '../../testing/ways.js'
import type { QuarkEvent } from '../index.js'
import { execChangeKind } from './index.js'
import { execsOf, EXPECTED, runOthers, runSession, sentence } from './testing/situations.js'

const LIMIT = { timeout: 120_000 }
/** Programs that are written and executed; machines that are slower make fewer. */
const FLOOD = Math.round(200 / Number(process.env['TEST_SLOW'] ?? 1))
const OPTIONS = { execChanges: true, backends: ['ebpf'], holdMs: 2000, ringSizeBytes: 2 ** 24 } as const
let seenRungs = 0
for (const sort of SORTS) {
  test(
    `what a session wrote and executes is seen through ${sort}, live and in a replay`,
    LIMIT,
    async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'quark-written-'))
      t.after(() => rmSync(folder, { recursive: true }))
      const recording = join(folder, 'recording')
      const quark = await openWay(sort, execChangeKind as unknown as Kind, { ...OPTIONS, record: recording })
      if (typeof quark !== 'object') {
        t.skip(`this kernel does not offer it: ${quark}`)
        return
      }
      seenRungs += 1
      runSession(folder)
      const names = Object.keys(EXPECTED)
      const seen = execsOf(quark.finish(), names)
      await quark.close()
      const replay = await Quark.replay(recording)
      const replayed: QuarkEvent[] = []
      for await (const event of replay) replayed.push(event)
      await replay.close()
      for (const execs of [seen, execsOf(replayed, names)]) {
        const sentences = Object.fromEntries(
          [...execs].map(([argument, change]) => [argument, sentence(change)]),
        )
        assert.deepEqual(sentences, EXPECTED)
      }
      const script = seen.get('script-1')
      assert.equal(dirname(script?.script ?? ''), sort === 'calls' ? folder : '.')
      const copier = seen.get('copied-1')
      assert.ok((copier?.writerEntityId ?? '') !== '')
      assert.equal(copier?.writerUid, process.getuid?.())
      assert.ok(Date.now() - Number((copier?.openedNs ?? 0n) / 1_000_000n) < 600_000)
    },
  )
}

test('at least one of them works, and without the option there is nothing', LIMIT, async () => {
  assert.ok(seenRungs > 0)
  await using quark = await Quark.open({ backends: ['ebpf'] })
  assert.ok(!quark.capabilities.attached.some(({ fact }) => fact === 'execChanges'))
})

test(
  'a file of memory that is executed is known as such; what another session wrote is not',
  LIMIT,
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'quark-written-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const quark = await Quark.open(OPTIONS)
    runOthers(folder)
    const execs = quark.finish().filter((event) => event.kind === 'process' && event.actions.includes('exec'))
    await quark.close()
    const changeOf = (argument: string): ExecChange | undefined => {
      const found = execs.find((event) => event.process?.argv?.at(-1) === argument) as
        | { readonly execChange?: ExecChange | undefined }
        | undefined
      assert.ok(found !== undefined, `no exec with ${argument}`)
      return found.execChange
    }
    const change = changeOf('memfd-1')
    assert.deepEqual([change?.file, change?.memfd, change?.relation], ['program', true, 'session'])
    assert.equal(changeOf('foreign-1'), undefined)
  },
)

test('an exec that was delivered already has an event for that', LIMIT, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'quark-written-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const quark = await Quark.open({ ...OPTIONS, aggregation: 'none' })
  runSession(folder)
  const events = quark.finish()
  await quark.close()
  const changes = events.flatMap((event) => (event.kind === 'execChange' ? [event] : []))
  const ours = changes.filter(({ process }) => process?.cwd === folder)
  assert.deepEqual(
    ours.map(({ execChange }) => sentence(execChange)),
    Object.values(EXPECTED).filter((expected) => expected !== undefined),
  )
})

test(
  'a flood of written and executed files: the last ones are known, and no process is missed',
  LIMIT,
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'quark-written-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const quark = await Quark.open({ ...OPTIONS, maxWrittenFiles: 256, where: { treeOf: process.pid } })
    const events: QuarkEvent[] = []
    // The first file is forgotten, as many others are written after it.
    const script = `
cp -L /bin/true first; cp -L /bin/true busy
i=0; while [ $i -lt 3000 ]; do : > file$((i % 1500)); i=$((i + 1)); done
i=0; while [ $i -lt ${FLOOD} ]; do cp -L /bin/true busy2; ./busy2 flood-$i; i=$((i + 1)); done
cp -L /bin/true last; ./last last-1; ./first first-1`
    // On one CPU: what another one stored last is forgotten when that stores more, however much others do.
    const child = spawn('taskset', ['1', '/bin/sh', '-c', script], { cwd: folder, stdio: 'inherit' })
    const poll = setInterval(() => events.push(...quark.poll()), 20)
    await once(child, 'close')
    clearInterval(poll)
    events.push(...quark.finish())
    const { lost, produced } = quark.stats()
    await quark.close()
    const names = ['last-1', 'first-1', ...Array.from({ length: FLOOD }, (_, i) => `flood-${i}`)]
    const execs = execsOf(events, names)
    t.diagnostic(`${produced['execChange']} records, ${lost} lost`)
    assert.equal(lost, 0)
    assert.deepEqual([...execs.keys()].sort(), names.sort())
    for (const [name, change] of execs)
      assert.equal(sentence(change), name === 'first-1' ? undefined : 'program by cp, session', name)
  },
)
