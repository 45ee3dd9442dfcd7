import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { Kind } from '../kind.js'
import { Quark } from '../../quark.js'
import { SORTS } from '../../testing/rung-sorts.js'
import { openWay } from '../../testing/ways.js'
import type { TtyEvent } from './events.js'
import { ttyKind } from './index.js'
import { KEPT_BYTES, LARGE, runSituations, type TtyFacts, WRITES } from './testing/situations.js'

const LIMIT = { timeout: 120_000 }
const OPTIONS = {
  tty: true,
  maxTtyBytes: KEPT_BYTES,
  backends: ['ebpf'],
  aggregation: 'none',
  ringSizeBytes: 2 ** 24,
} as const
const hasPython = spawnSync('python3', ['-V']).status === 0
const IN_TERMINALS = { ...LIMIT, skip: hasPython ? false : 'needs Python' }

function ttyEvents(events: readonly { readonly kind: string }[]): TtyEvent[] {
  return events.filter(({ kind }) => kind === 'tty') as TtyEvent[]
}

/** Asserts what every rung sees, and what only functions do. */
function checkSituations(
  { pid, tty, fullBytes, second }: TtyFacts,
  events: TtyEvent[],
  isOfCalls: boolean,
): void {
  const ours = events.filter((event) => event.pid === pid)
  for (const { process, ttyMajor, ttyMinor, terminal, driver, columns, rows, devpts } of ours) {
    assert.deepEqual(
      [process?.pid, ttyMajor, ttyMinor, terminal, driver, columns, rows],
      [pid, 136, tty, `pts/${tty}`, 'pty_slave', 100, 30],
    )
    assert.ok((devpts ?? 0) > 0)
  }
  const expected = WRITES.map(({ text, origin = 'output' }) => {
    return [text.slice(0, KEPT_BYTES), origin, text.length, Math.max(0, text.length - KEPT_BYTES)]
  })
  assert.deepEqual(
    ours.slice(0, WRITES.length).map(({ text = '', data, origin, writtenBytes, missingBytes }) => {
      return [Buffer.from(data ?? text).toString('latin1'), origin, writtenBytes, missingBytes]
    }),
    expected,
  )
  const isFilling = ({ text = '' }: TtyEvent): boolean => /^f+$/.test(text)
  const filling = ours.slice(WRITES.length).filter(isFilling)
  assert.equal(
    filling.reduce((sum, { writtenBytes }) => sum + writtenBytes, 0),
    fullBytes,
  )
  assert.ok(filling.every(({ missingBytes }) => missingBytes === 0))
  // Pages of the kernel are not read, and the call is none of those that are seen.
  assert.deepEqual(
    ours
      .slice(WRITES.length)
      .filter((event) => !isFilling(event))
      .map(({ text, missingBytes }) => [text, missingBytes]),
    isOfCalls ? [] : [[undefined, 15]],
  )
  assert.deepEqual(
    events.filter((event) => event.pid === second.pid).map(({ text, terminal }) => [text, terminal]),
    [['to /dev/tty\n', `pts/${second.tty}`]],
  )
}

let seenRungs = 0
for (const sort of SORTS) {
  test(`every situation of a terminal is seen through ${sort}, live and in a replay`, LIMIT, async (t) => {
    const recording = join(mkdtempSync(join(tmpdir(), 'quark-tty-')), 'recording')
    t.after(() => rmSync(dirname(recording), { recursive: true }))
    const quark = await openWay(sort, ttyKind as unknown as Kind, { ...OPTIONS, record: recording })
    if (typeof quark !== 'object') {
      t.skip(`this kernel does not offer it: ${quark}`)
      return
    }
    seenRungs += 1
    const facts = await runSituations()
    const events = ttyEvents(quark.finish())
    const { lostRingFull } = quark.stats()
    await quark.close()
    assert.equal(lostRingFull['ttyWrite'] ?? 0, 0)
    checkSituations(facts, events, sort === 'calls')
    const replay = await Quark.replay(recording, { aggregation: 'none' })
    const replayed: TtyEvent[] = []
    for await (const event of replay) if (event.kind === 'tty') replayed.push(event)
    await replay.close()
    checkSituations(facts, replayed, sort === 'calls')
  })
}

test('at least one of them works, and the fact is learnt by the best', LIMIT, async (t) => {
  assert.ok(seenRungs > 0)
  await using quark = await Quark.open(OPTIONS)
  const { attached, missing } = quark.capabilities
  const hooks = attached.filter(({ fact }) => fact === 'ttyWrites').map(({ hook }) => hook)
  t.diagnostic(hooks.join(', '))
  assert.ok(hooks.length > 0)
  // What system calls do not show is declared.
  const isOfCalls = hooks.some((hook) => hook.endsWith('sys_exit'))
  assert.equal(
    missing.some(({ fact }) => fact === 'ttyWrites.other calls'),
    isOfCalls,
  )
})

test('writes of one process at one terminal are one event', LIMIT, async () => {
  const quark = await Quark.open({ ...OPTIONS, aggregation: 'default', holdMs: 1000 })
  const { pid } = await runSituations()
  const events = ttyEvents(quark.finish())
  await quark.close()
  const [first] = events.filter((event) => event.pid === pid)
  // Up to the first one that is not kept whole.
  const texts = WRITES.slice(0, 24).map(({ text }) => text.slice(0, KEPT_BYTES))
  assert.deepEqual(
    [Buffer.from(first?.data ?? '').toString('latin1'), first?.writes, first?.missingBytes],
    [texts.join(''), 24, LARGE.length - KEPT_BYTES],
  )
})

test('this process’s own writes are no events', IN_TERMINALS, async () => {
  const program = `
    const { Quark } = await import(${JSON.stringify(new URL('../../index.js', import.meta.url).href)})
    const quark = await Quark.open({ tty: true, backends: ['ebpf'] })
    process.stdout.write('the agent speaks\\n')
    const own = quark.finish().filter((e) => e.kind === 'tty' && e.text.includes('the agent'))
    await quark.close()
    process.exit(own.length === 0 ? 0 : 1)`
  const inner = `${process.execPath} --input-type=module -e ${quoted(program)}`
  assert.equal(inTerminal(inner), 0)
  // A terminal behind that: what is written to it is shown on the outer one by another process.
  assert.equal(inTerminal(`python3 -c ${quoted(IN_PTY)} ${quoted(inner)}`), 0)
})

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** Runs a command in a terminal of its own. */
const IN_PTY = 'import pty, sys; sys.exit(pty.spawn(["sh", "-c", sys.argv[1]]) >> 8)'

/** Its status. */
function inTerminal(command: string): number | null {
  return spawnSync('python3', ['-c', IN_PTY, command], { stdio: ['ignore', 'pipe', 'inherit'] }).status
}

/** As many terminals that are flooded, each by a writer of its own, until they are killed. */
async function flood(t: TestContext, terminals: number): Promise<void> {
  const program = `
import os, select
masters = []
for _ in range(${terminals}):
    m, s = os.openpty()
    masters.append(m)
    if os.fork() == 0:
        while True: os.write(s, b'y\\n' * 500)
    os.close(s)
print('ready', flush=True)
while True:
    for m in select.select(masters, [], [])[0]: os.read(m, 65536)`
  const child = spawn('python3', ['-c', program], { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  t.after(() => process.kill(-(child.pid as number), 'SIGKILL'))
  await once(child.stdout, 'data')
}

test('terminals that are flooded lose their own records, and none of processes', IN_TERMINALS, async (t) => {
  // Others on the machine make no difference.
  const where = { treeOf: process.pid }
  const quark = await Quark.open({ ...OPTIONS, ringSizeBytes: 2 ** 23, where })
  await flood(t, 8)
  // Nobody reads meanwhile: the flood has a quarter of the ring.
  const pids = Array.from({ length: 50 }, () => spawnSync('/bin/true').pid)
  const events = quark.finish()
  const { produced, lostRingFull } = quark.stats()
  await quark.close()
  const writes = ttyEvents(events).length
  t.diagnostic(`${writes} of ${produced['ttyWrite']} writes`)
  assert.equal(writes + (lostRingFull['ttyWrite'] ?? 0), produced['ttyWrite'])
  assert.ok(writes > 100)
  const seen = new Set(
    events.flatMap((event) =>
      event.kind === 'process' && event.actions.includes('exit') ? [event.process.pid] : [],
    ),
  )
  assert.deepEqual(
    pids.filter((pid) => !seen.has(pid)),
    [],
  )
})
