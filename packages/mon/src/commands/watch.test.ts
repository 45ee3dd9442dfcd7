import assert from 'node:assert/strict'
import test from 'node:test'
import type { QuarkEvent } from 'quark-telemetry'
import { defaultSettings } from '../settings.js'
import { execOf, FakeIo, FakeQuark, statsOf } from '../testing/fakes.js'
import { watch } from './watch.js'

const lost = {
  kind: 'lost',
  timeNs: 1n,
  cause: 'ringFull',
  count: 1,
  cpu: undefined,
  process: undefined,
} as unknown as QuarkEvent

/** The pids of what is written as JSON; 0 for an event without a process. */
async function pidsOf(
  batches: QuarkEvent[][],
  change: Partial<ReturnType<typeof defaultSettings>>,
): Promise<number[]> {
  const io = new FakeIo()
  await watch(new FakeQuark(batches), { ...defaultSettings(), format: 'json', ...change }, io)
  return io.written
    .split('\n')
    .slice(1, -2)
    .map((line) => (JSON.parse(line) as { process?: { pid: number } }).process?.pid ?? 0)
}

test('watch() writes every event on a line of its own, in order', async () => {
  const batches = [[execOf({ pid: 3 }), execOf({ pid: 1 })], [], [lost, execOf({ pid: 2 })]]
  assert.deepEqual(await pidsOf(batches, {}), [3, 1, 0, 2])
})

test('watch() ends after the given number of events, and takes no batch after it', async () => {
  const quark = new FakeQuark([[execOf({ pid: 1 }), execOf({ pid: 2 })], [execOf({ pid: 3 })]])
  const io = new FakeIo()
  await watch(quark, { ...defaultSettings(), format: 'dump', count: 1 }, io)
  assert.equal(io.written.match(/^->/gm)?.length, 1)
  assert.equal(quark.taken, 1)
})

test('watch() writes what comes after the run was ended: what was still held', async () => {
  const io = new FakeIo()
  io.ending.abort()
  await watch(
    new FakeQuark([[execOf({ pid: 1 })], [execOf({ pid: 2 })]]),
    { ...defaultSettings(), format: 'dump' },
    io,
  )
  assert.match(io.written, /^->2 /m)
})

test('watch() writes all that is held when the time is over, however long that takes', async () => {
  const quark = new FakeQuark([])
  const slow = Array.from({ length: 20 }, () => execOf({ pid: 1, argv: ['x'.repeat(1000)] }))
  quark.batches = async function* () {
    for (let i = 0; i < 10; i++) {
      const untilMs = performance.now() + 20
      while (performance.now() < untilMs);
      yield slow
    }
  }
  quark.stats = () => statsOf({ buffered: 7 })
  const io = new FakeIo()
  io.ending.abort()
  await watch(quark, { ...defaultSettings(), format: 'dump' }, io)
  assert.equal(io.written.match(/^->1 /gm)?.length, 200)
  assert.equal(io.notes, '')
})

test('watch() ends soon after a signal, however much is held, and counts what is left', async () => {
  const quark = new FakeQuark([])
  const batch = Array.from({ length: 100 }, () => execOf({ pid: 1, argv: ['x'.repeat(1000)] }))
  quark.batches = async function* () {
    for (;;) yield batch
  }
  quark.stats = () => statsOf({ buffered: 7 })
  const io = new FakeIo()
  io.hurrying.abort()
  await watch(quark, defaultSettings(), io)
  assert.match(
    io.notes,
    /^quark-mon: (\d+ events and )?7 records that were held at the end are not written\n$/,
  )
  const quiet = new FakeIo()
  quiet.hurrying.abort()
  await watch(quark, { ...defaultSettings(), quiet: true }, quiet)
  assert.deepEqual([quiet.notes, quiet.losses], ['', 1])
})

test('watch() ends soon after a signal, also if nothing is due for long, and says what was not read', async () => {
  const quark = new FakeQuark([])
  quark.batches = async function* () {
    while (!quark.isClosed) await new Promise((resolve) => setTimeout(resolve, 5))
    yield* []
  }
  quark.isRead = false
  const notesWith = async (buffered: number): Promise<string> => {
    quark.stats = () => statsOf({ buffered })
    quark.isClosed = false
    const io = new FakeIo()
    const ended = watch(quark, defaultSettings(), io)
    io.hurrying.abort()
    await ended
    return io.notes
  }
  assert.equal(
    await notesWith(7),
    'quark-mon: 7 records that were held at the end, and what was not read before, are not written\n',
  )
  assert.equal(await notesWith(0), 'quark-mon: what was not read before the end is not written\n')
})

test('watch() writes no more at once than is wanted', async () => {
  const io = new FakeIo()
  const pieces: number[] = []
  const batch = Array.from({ length: 100 }, () => execOf({ pid: 1, argv: ['x'.repeat(50)] }))
  const small = {
    ...io,
    signal: io.signal,
    hurry: io.hurry,
    pieceChars: 500,
    write: (text: string) => {
      pieces.push(text.length)
      return Promise.resolve()
    },
  }
  await watch(new FakeQuark([batch]), defaultSettings(), small)
  assert.ok(pieces.length > 10 && pieces.every((length) => length < 1000))
})

test('watch() writes ECS with the names of users', async () => {
  const io = new FakeIo()
  await watch(new FakeQuark([[execOf({ pid: 1, euid: 0 })]]), { ...defaultSettings(), format: 'ecs' }, io)
  const document = JSON.parse(io.written.split('\n')[1] ?? '') as { user: { name: string }; host: object }
  assert.equal(document.user.name, 'root')
  assert.deepEqual(document.host, { name: 'here' })
  const full = new FakeIo()
  const settings = { ...defaultSettings(), format: 'ecs', ecs: { form: 'full' } } as const
  await watch(new FakeQuark([[execOf({ pid: 1, euid: 0 })]]), settings, full)
  assert.equal(
    (JSON.parse(full.written.split('\n')[1] ?? '') as { host: { hostname: string } }).host.hostname,
    'here',
  )
  // What the stream is of has all of the host, and the last line the counters.
  assert.match(io.written, /^\{[^\n]*"host":\{"hostname":"here"[^\n]*"stream-started"/)
  assert.match(io.written, /"stream-ended"[^\n]*\n$/)
})

test('watch() bounds the output of an event, and says at the end how many it has cut', async () => {
  const long = execOf({ pid: 1, argv: ['x'.repeat(100_000)] })
  for (const format of ['text', 'dump', 'json', 'ecs'] as const) {
    const io = new FakeIo()
    const settings = { ...defaultSettings(), format, lines: { maxLineBytes: 20_000 } }
    await watch(new FakeQuark([[long, execOf({ pid: 2 }), long]]), settings, io)
    assert.ok(io.written.length > 30_000 && io.written.length < 45_000, `${format}: ${io.written.length}`)
    assert.equal(
      io.notes,
      'quark-mon: cut 2 events that had more output than --max-line allows: raise it (now 20000)\n',
    )
    const quiet = new FakeIo()
    await watch(new FakeQuark([[long]]), { ...settings, quiet: true }, quiet)
    assert.match(quiet.notes, /^quark-mon: cut 1 events/)
  }
  const whole = new FakeIo()
  await watch(new FakeQuark([[long]]), { ...defaultSettings(), format: 'json' }, whole)
  assert.ok(whole.written.length > 100_000)
  assert.equal(whole.notes, '')
})

test('watch() writes an asterisk per record in bypass mode', async () => {
  const io = new FakeIo()
  const settings = { ...defaultSettings(), quark: { bypass: true } }
  await watch(new FakeQuark([[execOf({ pid: 1 }), execOf({ pid: 1 })]]), settings, io)
  assert.equal(io.written, '**')
})

test('watch() writes JSON between a first and a last line, which do not count as events', async () => {
  const io = new FakeIo()
  const quark = new FakeQuark([[execOf({ pid: 1, uid: 0 }), execOf({ pid: 2 })]])
  await watch(quark, { ...defaultSettings(), format: 'json', count: 1 }, io)
  const [start, event, end, ...others] = io.written
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
  assert.deepEqual(others, [])
  assert.deepEqual([start.kind, start.backend, start.host.hostname], ['start', 'ebpf', 'here'])
  assert.equal(start.continued, undefined)
  // The name is the queue's: a replay may be of another machine.
  assert.deepEqual(event.process, { pid: 1, uid: 0, uidName: 'root' })
  assert.deepEqual([end.kind, end.stats.insertions], ['end', 1])
  assert.equal(JSON.parse(io.further).continued, true)
})
