import assert from 'node:assert/strict'
import test from 'node:test'
import type { QuarkEvent } from 'quark-telemetry'
import { watch } from './commands/watch.js'
import { defaultSettings, type Settings } from './settings.js'
import { execOf, FakeIo, FakeQuark } from './testing/fakes.js'
import type { Terminal } from './terminal.js'

/** Where commands begin if the text does not go to a terminal. */
const COMMAND_AT = 56
const DAY_NS = 86_400_000_000_000n

function snapshotOf(pid: number): QuarkEvent {
  const { process } = execOf({ pid })
  return { kind: 'snapshot', timeNs: 1n, process } as unknown as QuarkEvent
}

/** What is written of some events, on a terminal if one is given. */
async function written(
  events: readonly QuarkEvent[],
  change: Partial<Settings> = {},
  terminal?: Terminal,
): Promise<string[]> {
  const io = Object.assign(new FakeIo(), { terminal })
  await watch(new FakeQuark([events]), { ...defaultSettings(), ...change }, io)
  return io.written.split('\n').slice(0, -1)
}

const terminal = (columns: number, isAscii = false): Terminal => ({ columns: () => columns, isAscii })

const command = execOf({ pid: 7, euid: 0, argv: ['cc', '-c', `${'x'.repeat(100)}.c`] })

test('text is one line per event with names of users, and nothing else where it does not go to a terminal', async () => {
  const lines = await written([command, command])
  assert.equal(lines.length, 2)
  for (const line of lines) assert.match(line, /^\d\d:\d\d:\d\d\.\d{3} exec +7 root .* cc -c x{100}\.c$/)
})

test('on a terminal a heading stands over the lines, which are cut', async () => {
  const [heading = '', line = '', ...more] = await written([command], {}, terminal(80))
  assert.match(heading, /^1970-01-01 +WHAT +PID USER +PARENT +COMMAND/)
  assert.equal(line.length, 80)
  assert.match(line, /x…$/)
  assert.deepEqual(more, [])
  // -q: nothing but events.
  assert.deepEqual(await written([command], { quiet: true }, terminal(80)), [line])
})

test('a terminal of 20 columns, and one that does not know its width', async () => {
  for (const line of await written([command], {}, terminal(20))) assert.ok(line.length <= 20, line)
  const [, line = ''] = await written([command], {}, { columns: () => undefined, isAscii: false })
  assert.match(line, /x{100}\.c$/)
})

test('a terminal that is resized has lines of its new width, and a heading where the columns change', async () => {
  let columns = 160
  const sizes = [160, 81, 80, 30]
  const resized: Terminal = { columns: () => columns, isAscii: false }
  const events = sizes.map((size) => ({
    ...command,
    get kind(): 'process' {
      // The window changes before the event is written.
      columns = size
      return 'process' as const
    },
  }))
  const lines = await written(events, {}, resized)
  assert.deepEqual(
    lines.map((line) => (line.includes('PID') ? 'heading' : line.length)),
    ['heading', 160, 'heading', 81, 80, 'heading', 30],
  )
})

test('a new day has a heading of its own', async () => {
  const lines = await written([command, { ...command, timeNs: DAY_NS * 2n }], {}, terminal(160))
  assert.deepEqual(
    lines.map((line) => /^1970-01-\d\d/.exec(line)?.[0]),
    ['1970-01-01', undefined, '1970-01-03', undefined],
  )
})

test('a locale without other characters has ASCII', async () => {
  const lines = await written([execOf({ pid: 7, argv: ['é', 'x'.repeat(200)] })], {}, terminal(80, true))
  assert.match(lines.join(''), /^[ -~]+$/)
  assert.match(lines.join(''), / \$'\\u00e9' x+\.\.\.$/)
})

test('a file has the date in each line, as it lasts longer than a day', async () => {
  const [line = ''] = await written([command], { output: 'f' })
  assert.match(line, /^1970-01-01 \d\d:/)
})

test('text shows processes that were there before only if they are asked for; other formats show them', async () => {
  const events = [snapshotOf(1), command]
  assert.equal((await written(events)).length, 1)
  assert.equal((await written(events, { quark: { snapshot: true } })).length, 2)
  assert.match((await written(events, { quark: { snapshot: true } }))[0] ?? '', / here +1 /)
  // Two more say what the stream is of, and how it went.
  assert.equal((await written(events, { format: 'ecs' })).length, 2 + 2)
  const asked = { where: { event: ['snapshot'] } } as const
  assert.equal((await written(events, { quark: asked })).length, 2)
  // They do not count.
  assert.equal((await written(events, { count: 1 })).length, 1)
})

test('a tree draws children under their parents as they come', async () => {
  const fork = (pid: number, ppid: number): QuarkEvent => ({
    ...execOf({ pid, ppid, argv: [`p${pid}`] }),
    actions: ['fork', 'exec'],
  })
  const lines = await written([fork(10, 1), fork(11, 10), fork(12, 11), fork(20, 1)], { tree: true })
  assert.deepEqual(
    lines.map((line) => line.slice(COMMAND_AT)),
    ['p10', '└ p11', '  └ p12', 'p20'],
  )
})
