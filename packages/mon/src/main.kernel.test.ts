import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
// The published schema is made of these.
import { declarations } from '../../telemetry/dist/stream.js'
import { schemaCheck } from '../../telemetry/dist/testing/schema.js'
import { COMMAND, runCommand, Running } from './testing/command.js'

const NOBODY = 65_534
/** Room for what a busy machine does while the command does not get a CPU. */
const RING = '--ring-size=16M'
/** The first event of the snapshot: from then on nothing is missed. */
const SNAPSHOT = /"kind":"snapshot"/

interface JsonEvent {
  readonly kind: string
  readonly actions?: readonly string[]
  readonly process?: { readonly pid: number; readonly argv?: readonly string[]; readonly exitCode?: number }
}

let markers = 0

/** Runs true(1) with an argument that nothing else on the machine has. */
function runMarked(): string {
  markers += 1
  const marker = `quark-mon-test-${process.pid}-${markers}`
  spawnSync('true', [marker])
  return marker
}

function linesOf(out: string): JsonEvent[] {
  return out
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as JsonEvent)
}

/** The lines but the first and the last one, which are not of events. */
function eventsOf(out: string): JsonEvent[] {
  return linesOf(out).filter(({ kind }) => kind !== 'start' && kind !== 'end')
}

function marked(events: readonly JsonEvent[], marker: string): JsonEvent[] {
  return events.filter(({ process }) => process?.argv?.includes(marker))
}

function temporaryDirectory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'quark-mon-test-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}

test('a command is one line of JSON, and Ctrl-C ends with the counters and exit code 0', async () => {
  const running = new Running(['--json', '--hold=200', RING])
  await running.seen(SNAPSHOT)
  const marker = runMarked()
  await running.seen(new RegExp(marker))
  running.child.kill('SIGINT')
  const { code, out, err } = await running.ended()

  assert.equal(code, 0, err)
  const events = eventsOf(out)
  assert.ok(events.some(({ kind, process }) => kind === 'snapshot' && process?.pid === 1))
  const kinds = linesOf(out).map(({ kind }) => kind)
  assert.deepEqual([kinds[0], kinds.at(-1)], ['start', 'end'])
  assert.equal(kinds.length, events.length + 2)
  // The published schema describes what is written.
  const check = schemaCheck(declarations)
  for (const line of out.trimEnd().split('\n')) check(line)
  const [event, ...others] = marked(events, marker)
  assert.deepEqual(others, [])
  assert.deepEqual(event?.actions, ['fork', 'exec', 'exit'])
  assert.deepEqual(event?.process?.argv, ['true', marker])
  assert.equal(event?.process?.exitCode, 0)
  assert.match(err, /^quark-mon: \d+ process(es)? began in \S+; .+ lost$/m)
})

test('SIGTERM ends it like Ctrl-C, and --quiet writes no counters', async () => {
  const running = new Running(['--json', '-q'])
  await running.seen(SNAPSHOT)
  running.child.kill('SIGTERM')
  const { code, err } = await running.ended()
  assert.deepEqual({ code, err }, { code: 0, err: '' })
})

test('it ends quietly when the reader goes away', () => {
  const script = '{ "$0" "$@"; echo "code $?" >&2; } | head -n 2'
  const run = spawnSync('sh', ['-c', script, process.execPath, COMMAND, '--json', '-q', '--hold=10'], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  assert.equal(run.stderr, 'code 0\n')
  assert.equal(eventsOf(run.stdout).length, 1)
})

test('with -D it is nobody in an empty directory, and still sees processes', async () => {
  const running = new Running(['-D', '--json', '--hold=10', RING])
  await running.seen(SNAPSHOT)
  const status = readFileSync(`/proc/${running.pid}/status`, 'utf8')
  assert.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m)
  assert.match(status, /^Gid:\t65534\t65534\t65534\t65534$/m)
  assert.match(status, /^Groups:\t *$/m)
  assert.match(status, /^CapPrm:\t0+$/m)
  assert.match(status, /^CapEff:\t0+$/m)
  const root = readlinkSync(`/proc/${running.pid}/root`)
  assert.match(root, / \(deleted\)$/)
  assert.ok(!existsSync(root.replace(' (deleted)', '')))

  await running.seen(new RegExp(runMarked()))
  // By then it has given back what opening took, which needs no /proc either.
  await sleep(1500)
  await running.seen(new RegExp(runMarked()))
  running.child.kill('SIGINT')
  const { code, err } = await running.ended()
  assert.equal(code, 0, err)
  assert.match(err, / began in /)
})

test('with -D users still have names', () => {
  const { code, out, err } = runCommand(['-D', '-q', '--ecs', '--duration=1'])
  assert.equal(code, 0, err)
  // Of a process that ends meanwhile the user may be unknown.
  const users = out
    .split('\n')
    .filter((line) => line.includes('"user":{"id":"0"'))
    .map((line) => (JSON.parse(line) as { user: unknown }).user)
  assert.deepEqual(users[0], { id: '0', name: 'root', group: { id: '0', name: 'root' } })
})

test('-D is refused where the queue could not be closed, and says what is lost where it could', () => {
  const audit = runCommand(['-D', '--backend=audit', '--duration=0.2'])
  assert.equal(audit.code, /cannot use -D/.test(audit.err) ? 2 : 1)
  // Where audit cannot be had, the reason is reported in place of it.
  assert.match(
    audit.err,
    /^quark-mon: (cannot use -D with the backend audit: .* rules would stay|Cannot watch processes: audit: )/m,
  )
  const { code, err } = runCommand(['-D', '--backend=procConnector', '--duration=0.2'])
  assert.equal(code, 0, err)
  assert.match(err, /^quark-mon: no facts from \/proc: with -D there is none/m)
})

test('without privileges it says what it needs, and exits 1', () => {
  const { code, out, err } = runCommand(['-b'], NOBODY)
  assert.deepEqual({ code, out }, { code: 1, out: '' })
  assert.match(err, /^quark-mon: .*root/)
  assert.doesNotMatch(err, /^ {4}at /m)
})

test('without privileges it watches as the kernel allows, and says what is missing and why', () => {
  const { code, err } = runCommand(['-s', '--duration=0.2'], NOBODY)
  // Kernels since 6.6 let everybody listen to the proc connector.
  if (code === 0) assert.match(err, /^quark-mon: no backend ebpf: .*root/m)
  else assert.match(err, /^quark-mon: .*root/)
})

test('--count and --duration end it', () => {
  const counted = runCommand(['--json', '-q', '--count=1'])
  assert.equal(counted.code, 0, counted.err)
  assert.equal(eventsOf(counted.out).length, 1)
  const timed = runCommand(['-s', '-q', '--duration=0.2'])
  assert.deepEqual({ code: timed.code, err: timed.err }, { code: 0, err: '' })
})

test('--ppid shows only children of that process', async () => {
  const running = new Running(['--json', '-s', '--hold=10', '--ppid', `${process.pid}`, '--count=1'])
  // Without a snapshot nothing shows when it begins to watch: children are started until it has reported one.
  const timer = setInterval(runMarked, 50)
  const { code, out } = await running.ended().finally(() => clearInterval(timer))
  assert.equal(code, 0)
  assert.match(out, new RegExp(`"ppid":${process.pid},`))
})

test('filters act before --count, and a run in which nothing passed says so', async () => {
  const running = new Running(['--json', '-s', '--hold=10', '--action=exec', '--comm=sle*', '--count=2'])
  const timer = setInterval(() => {
    runMarked()
    spawnSync('/bin/sleep', ['0'])
  }, 50)
  const { code, out } = await running.ended().finally(() => clearInterval(timer))
  assert.equal(code, 0)
  const events = eventsOf(out)
  assert.equal(events.length, 2)
  for (const { process } of events) assert.match(String(process?.argv), /sleep/)
  const nothing = runCommand(['--duration=0.2', '--comm=no-such-name'])
  assert.equal(nothing.code, 0)
  assert.match(nothing.err, /quark-mon: no event passed the filters: they left out \d+\n$/)
})

test('-C writes the process table, also after -D', async (t) => {
  const file = join(temporaryDirectory(t), 'table.dot')
  const { code, err } = runCommand(['-D', '-q', '--json', '--count=1', '-C', file])
  assert.equal(code, 0, err)
  assert.match(readFileSync(file, 'utf8'), /^digraph [^]*\bpid 1\b[^]*\}\n$/)
})

test('-m fills the buffer and writes its graphs', async (t) => {
  const directory = temporaryDirectory(t)
  const running = new Running(['-m', '20'], directory)
  const timer = setInterval(runMarked, 50)
  const { code, out, err } = await running.ended().finally(() => clearInterval(timer))
  assert.equal(code, 0, err)
  assert.equal(out, '')
  for (const name of ['quark_by_time.dot', 'quark_by_pidtime.dot']) {
    const graph = readFileSync(join(directory, name), 'utf8')
    assert.match(graph, /^digraph /)
    assert.equal(graph.match(/label=/g)?.length, 20)
  }
})

test('-M writes counters and no events', () => {
  const { code, out, err } = runCommand(['-M', '--duration=0.2'])
  assert.equal(code, 0, err)
  assert.equal(out, '')
  assert.match(err, /insertions/)
})

test('-B writes asterisks', async () => {
  const running = new Running(['-B', '--count=5'])
  const timer = setInterval(runMarked, 50)
  const { code, out, err } = await running.ended().finally(() => clearInterval(timer))
  assert.equal(code, 0, err)
  assert.equal(out, '*****')
})

test('what --record keeps is what --replay shows, without privileges', async (t) => {
  const file = join(temporaryDirectory(t), 'recording')
  const running = new Running(['--json', '--hold=200', RING, '--record', file])
  await running.seen(SNAPSHOT)
  const marker = runMarked()
  await running.seen(new RegExp(marker))
  running.child.kill('SIGINT')
  const live = await running.ended()
  assert.equal(live.code, 0, live.err)

  const replayed = runCommand(['--json', '--hold=200', '--replay', file])
  assert.equal(replayed.code, 0, replayed.err)
  assert.deepEqual(marked(eventsOf(replayed.out), marker), marked(eventsOf(live.out), marker))
})

test('- stands for standard output and input: a recording goes through a pipe, and is shown', (t) => {
  const events = join(temporaryDirectory(t), 'events')
  const marker = `quark-mon-pipe-${process.pid}`
  const script = `
    { "$0" "$1" -q --record=- -o "$2" --json ${RING} & pid=$!
      until grep -qs '"kind":"snapshot"' "$2"; do sleep 0.1; done
      /bin/true "$3"
      until grep -qs "$3" "$2"; do sleep 0.1; done
      kill -TERM $pid; wait $pid; echo "code $?" >&2; } | "$0" "$1" -q --json --replay - -o -`
  const run = spawnSync('sh', ['-c', script, process.execPath, COMMAND, events, marker], {
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 2 ** 28,
  })
  // Where the machine is so busy that the time at the end is too short, the recording has no end mark.
  assert.match(run.stderr, /^code 0\n(?:quark-mon: .*"standard input": .* no end mark at byte \d+\n)?$/)
  const seen = (text: string): JsonEvent[] =>
    marked(eventsOf(text), marker).filter(({ process }) => process?.argv?.[0] === '/bin/true')
  assert.equal(seen(run.stdout).length, 1)
  assert.deepEqual(seen(run.stdout), seen(readFileSync(events, 'utf8')))
})

test('a recording that nobody reads any more ends the run quietly', () => {
  const script = '{ "$0" "$@"; echo "code $?" >&2; } | head -c 1000 | wc -c'
  const run = spawnSync(
    'sh',
    ['-c', script, process.execPath, COMMAND, '-q', '--record=-', '--duration=2s', '-s'],
    {
      encoding: 'utf8',
      timeout: 60_000,
    },
  )
  assert.deepEqual({ out: run.stdout.trim(), err: run.stderr }, { out: '1000', err: 'code 0\n' })
})

test('-v says how each fact is learnt', () => {
  const { code, err } = runCommand(['-v', '-s', '--duration=0.1'])
  assert.equal(code, 0, err)
  assert.match(err, /^quark-mon: backend ebpf on kernel \d/m)
  assert.match(err, /^quark-mon: execs: \S+ \(\S+\)$/m)
})

test('--output takes the events, and says when there is no room', async (t) => {
  const file = join(temporaryDirectory(t), 'events')
  const written = runCommand(['--json', '-q', '--count=1', '-o', file])
  assert.deepEqual({ code: written.code, out: written.out }, { code: 0, out: '' })
  assert.equal(eventsOf(readFileSync(file, 'utf8')).length, 1)

  const full = runCommand(['--json', '-q', '--count=1', '-o', '/dev/full'])
  assert.equal(full.code, 1)
  assert.match(
    full.err,
    /^quark-mon: Cannot write the output\n {2}because: no space is left on the device \(ENOSPC/m,
  )
})

test('a reader that reads nothing does not keep Ctrl-C from ending it', async () => {
  // Nobody reads the pipe: once it is full, the command waits for room.
  const child = spawn(process.execPath, [COMMAND, '--json', '--hold=10'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let err = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  const exit = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })))
  await new Promise((resolve) => child.stdout.once('readable', resolve))
  child.kill('SIGINT')
  while (!err.includes(' began in ')) await new Promise((resolve) => setTimeout(resolve, 20))
  child.stdout.destroy()
  assert.deepEqual(await exit, { code: 0, signal: null })
})

test('--metrics serves what a run counts, also after -D, and a taken address ends the run before it watches', async (t) => {
  const path = join(temporaryDirectory(t), 'metrics.sock')
  const running = new Running(['-D', '--json', '--hold=10', RING, '--metrics', path])
  await running.seen(SNAPSHOT)
  await running.seen(new RegExp(runMarked()))
  const text = await new Promise<string>((resolve, reject) => {
    let all = ''
    get({ socketPath: path, path: '/metrics', agent: false }, (response) => {
      response.setEncoding('utf8').on('data', (part: string) => (all += part))
      response.on('end', () => resolve(all))
    }).on('error', reject)
  })
  assert.match(text, /^quark_events_total\{kind="process"\} [1-9]/m)
  assert.match(text, /^quark_info\{version="[\d.]+",backend="ebpf",/m)
  assert.match(text, /^process_resident_memory_bytes [1-9]\d{6,}$/m)

  const second = runCommand(['--json', '--count=1', '--metrics', path])
  assert.deepEqual({ code: second.code, out: second.out }, { code: 1, out: '' })
  assert.match(second.err, /^quark-mon: Cannot serve metrics at .*: another program serves there/)
  running.child.kill('SIGINT')
  const { code, err } = await running.ended()
  assert.equal(code, 0, err)
})
