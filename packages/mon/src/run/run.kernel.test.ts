/** `quark-mon -- COMMAND`: the command runs as if quark-mon were not there, and all that it makes is seen. */

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { COMMAND, type Run, runCommand, Running } from '../testing/command.js'
// The declarations, and the strict form of the schema, are not published.
import { declarations } from '../../../telemetry/dist/stream.js'
import { schemaCheck } from '../../../telemetry/dist/testing/schema.js'
import { CTRL_C, CTRL_Z, hasTerminals, Terminal } from '../testing/terminal.js'

/** A user that has no account and no processes. */
const STRANGER = 54_321
const ST_NOSUID = 2
const SECOND_KEY_MS = 1200

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'quark-mon-run-'))
  t.after(() => rmSync(path, { recursive: true }))
  chmodSync(path, 0o755)
  return path
}

/** Runs a script of sh(1) under quark-mon. */
function runScript(script: string, ...options: string[]): Run {
  return runCommand([...options, '--', 'sh', '-c', script])
}

interface Line {
  readonly kind: string
  readonly actions?: readonly string[]
  readonly process?: { readonly pid: number; readonly argv?: readonly string[] }
}

/** The events among lines, some of which are notes. */
function eventsOf(text: string): Line[] {
  return text.split('\n').flatMap((line) => (line.startsWith('{') ? (JSON.parse(line) as Line) : []))
}

function marked(text: string, mark: string): Line[] {
  return eventsOf(text).filter(({ process }) => process?.argv?.includes(mark) === true)
}

test('its output is its own and its status is passed on; events are on standard error', () => {
  const { code, out, err } = runScript('echo out; echo err >&2; exit 7', '--json')
  assert.deepEqual({ code, out }, { code: 7, out: 'out\n' })
  assert.match(err, /^err$/m)
  const [whole] = eventsOf(err).filter(({ kind }) => kind === 'process')
  assert.deepEqual(whole?.actions, ['fork', 'exec', 'exit'])
  assert.match(err, /^quark-mon: 1 process created in \S+, and seen; nothing was lost$/m)
})

test('quark-mon ends by the signal that ended the command', () => {
  for (const signal of ['KILL', 'TERM', 'SEGV', 'PIPE']) {
    const run = runScript(`kill -${signal} $$`, '-q', '-o', '/dev/null')
    assert.deepEqual(run, { code: null, signal: `SIG${signal}`, out: '', err: '' })
  }
})

test('what does not exist ends with 127, what cannot be executed with 126, and nothing is watched', (t) => {
  const file = join(folder(t), 'file')
  writeFileSync(file, '')
  const absent = runCommand(['--json', '--', './no/such/file'])
  assert.deepEqual([absent.code, eventsOf(absent.err)], [127, []])
  const closed = runCommand(['--json', '--', file])
  assert.deepEqual([closed.code, eventsOf(closed.err)], [126, []])
  // Only the exec shows it.
  writeFileSync(file, '#!/no/such/interpreter\n', { mode: 0o755 })
  chmodSync(file, 0o755)
  const without = runCommand(['-q', '-o', '/dev/null', '--', file])
  assert.deepEqual([without.code, without.out], [127, ''])
  assert.match(without.err, /^quark-mon: Cannot run .*: there is no such file, or not its interpreter\n$/)
})

test('a script without a first line that says so is run by sh(1), with its arguments', (t) => {
  const file = join(folder(t), 'script')
  writeFileSync(file, 'echo "$0 $1 $2"')
  chmodSync(file, 0o755)
  const { code, out } = runCommand(['-q', '-o', '/dev/null', '--', file, 'a b', 'c'])
  assert.deepEqual([code, out], [0, `${file} a b c\n`])
})

test('environment, directory, umask, descriptors, limits and signals are those at the start', (t) => {
  const path = folder(t)
  const show =
    'env | sort; pwd; umask; ulimit -Sn; ulimit -Hn; grep -E "^Sig(Ign|Blk)" /proc/self/status; ls /proc/self/fd'
  // Through sh(1) both times: what that changes by itself is no difference.
  const around = (inner: string): string =>
    `cd ${path}; umask 027; ulimit -Sn 300; trap '' HUP USR2; exec 7</dev/null; sh -c '${inner}' x "$@"`
  const env = { PATH: process.env['PATH'] ?? '', ODD: 'a\n b', EMPTY: '' }
  const direct = spawnSync('sh', ['-c', around('sh -c "$1"'), 'x', show], { env, encoding: 'utf8' })
  const under = spawnSync('sh', ['-c', around('"$2" -q -o /dev/null -- sh -c "$1"'), 'x', show, COMMAND], {
    env,
    encoding: 'utf8',
  })
  assert.equal(under.stderr, '')
  assert.equal(under.stdout, direct.stdout)
})

test('bytes that are no UTF-8 arrive as they are', () => {
  const script = `"$1" -q -o /dev/null -- sh -c 'printf %s "$1$ODD" | od -An -tx1' x "$(printf 'a\\377')"`
  const { stdout } = spawnSync(
    'sh',
    ['-c', `ODD=$(printf '\\376b') && export ODD && ${script}`, 'x', COMMAND],
    {
      encoding: 'utf8',
    },
  )
  assert.equal(stdout.trim(), '61 ff fe 62')
})

test('standard error does not become non-blocking for the command', () => {
  // A socket, as Node makes them, and a pipe.
  const show = 'sed -n s/flags:.//p /proc/self/fdinfo/2'
  const script = `{ "$0" "$@" 2>&1 >&3 3>&- | cat >&2; } 3>&1`
  for (const shell of ['"$0" "$@"', script]) {
    const args = ['-c', shell, process.execPath, COMMAND, '--json', '--', 'sh', '-c', `sleep 0.2; ${show}`]
    const { stdout, stderr } = spawnSync('sh', args, { encoding: 'utf8' })
    const flags = Number.parseInt(stdout.trim() || '0', 8)
    assert.ok(stdout.trim() !== '' && (flags & 0o4000) === 0, stdout)
    assert.ok(stderr.includes(' created in '))
  }
})

test('descendants are seen, also daemons and those whose parents end first; nobody else is', async () => {
  const script = `(setsid sh -c 'sleep 0.3; (/bin/true daemon-mark &)' >/dev/null 2>&1 &); (/bin/true orphan-mark &); echo up; read line`
  const running = new Running(['--json', '--wait', '--', 'sh', '-c', script], undefined, 'pipe')
  await running.seen(/up/)
  spawnSync('true', ['stranger-mark'])
  running.child.stdin?.end()
  const { code, err } = await running.ended()
  // read(1) has found the end of its input.
  assert.equal(code, 1, err)
  assert.equal(marked(err, 'daemon-mark').length, 1)
  assert.equal(marked(err, 'orphan-mark').length, 1)
  assert.deepEqual(marked(err, 'stranger-mark'), [])
  assert.match(err, /^quark-mon: \d+ processes created in \S+, and all seen; nothing was lost$/m)
})

test('without --wait the run ends with the command', () => {
  const { code, out } = runScript('sleep 600 >/dev/null 2>&1 & echo $!; exit 3', '-q', '-o', '/dev/null')
  assert.equal(code, 3)
  // It goes on.
  assert.ok(process.kill(Number(out), 'SIGKILL'))
})

test('what the command used counts as used by a child of whoever started quark-mon', () => {
  // More than quark-mon itself needs.
  const work = 'i=0; while [ $i -lt 600000 ]; do i=$((i+1)); done'
  const userSeconds = (command: string): number => {
    const args = ['-c', `${command}; times`, process.execPath, COMMAND, work]
    const { stdout } = spawnSync('sh', args, { encoding: 'utf8' })
    const [, minutes = 0, seconds = 0] = /(\d+)m([\d.]+)s \S+\s*$/.exec(stdout) ?? []
    return Number(minutes) * 60 + Number(seconds)
  }
  const alone = userSeconds('sh -c "$2"')
  const watched = userSeconds('"$0" "$1" -q -o /dev/null -- sh -c "$2"')
  assert.ok(alone > 0 && watched > alone * 0.7, `${alone} ${watched}`)
})

test('processes that are made without end are counted, and what is limited is passed on', () => {
  const bomb =
    'ulimit -p 40 2>/dev/null || ulimit -u 40; i=0; while [ $i -lt 200 ]; do sleep 0.2 & i=$((i+1)); done'
  const { err } = runScript(bomb, '--json', `--as=${STRANGER}`, '--wait')
  assert.match(err, /fork/)
  assert.match(err, /^quark-mon: \d+ processes created in \S+, and all seen; nothing was lost$/m)
})

test('the command runs as who called sudo, or as --as says, and set-uid programs work', (t) => {
  const sudo = { ...process.env, SUDO_UID: '1', SUDO_GID: '1', SUDO_USER: 'daemon', HOME: '/root' }
  const script = 'id -un; id -G; echo $USER $SUDO_UID'
  const options = (...more: string[]): string[] => [
    COMMAND,
    '-q',
    '-o',
    '/dev/null',
    ...more,
    '--',
    'sh',
    '-c',
    script,
  ]
  const own = { encoding: 'utf8', env: sudo } as const
  assert.equal(spawnSync(process.execPath, options(), own).stdout, 'daemon\n1\ndaemon\n')
  assert.match(spawnSync(process.execPath, options('--as', 'root'), own).stdout, /^root\n/)
  const path = folder(t)
  if ((statfsSync(path).type & ST_NOSUID) !== 0) return
  copyFileSync('/usr/bin/id', join(path, 'id'))
  chmodSync(join(path, 'id'), 0o4755)
  const { out } = runCommand(['-q', '-o', '/dev/null', `--as=${STRANGER}`, '--', join(path, 'id')])
  assert.match(out, new RegExp(`^uid=${STRANGER} .*euid=0\\(root\\)`))
})

test('a command that stops itself goes on when it is continued', async () => {
  // In a session of its own nobody could continue quark-mon, which goes on then.
  const args = [COMMAND, '-q', '-o', '/dev/null', '--', 'sh', '-c', 'echo $$; kill -STOP $$; exit 6']
  const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  const code = new Promise((resolve) => child.on('exit', resolve))
  while (!/^\d+\n/.test(out)) await sleep(10)
  while (!/^State:\tT/m.test(readFileSync(`/proc/${out.trim()}/status`, 'latin1'))) await sleep(10)
  process.kill(Number(out), 'SIGCONT')
  assert.equal(await code, 6)
})

test('signals that are sent to quark-mon alone reach the command', async () => {
  const script = 'trap "echo got; exit 5" TERM INT; echo up; while :; do sleep 0.05; done'
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const args = [COMMAND, '-q', '-o', '/dev/null', '--', 'sh', '-c', script]
    // Without a terminal: by one, Ctrl-C would reach the command itself.
    const child = spawn(process.execPath, args, { detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
    const code = new Promise((resolve) => child.on('exit', resolve))
    while (!out.includes('up')) await sleep(10)
    child.kill(signal)
    assert.equal(await code, 5)
    assert.equal(out, 'up\ngot\n')
  }
})

test('--tree-of ends with its process, and with --wait with the last descendant', async () => {
  const script = 'read line; (read line <&3; /bin/true late-mark) & /bin/true early-mark'
  for (const waits of [false, true]) {
    // The descendant ends when this process closes its end of the pipe.
    const held = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'inherit', 'pipe'] })
    const running = new Running(['--json', ...(waits ? ['--wait'] : []), `--tree-of=${held.pid}`])
    await running.seen(/"kind":"snapshot"/)
    held.stdin?.end('go\n')
    if (waits) {
      await running.seen(/early-mark/)
      await sleep(200)
      held.stdio[3]?.destroy()
    }
    const { code, out } = await running.ended()
    held.stdio[3]?.destroy()
    assert.equal(code, 0)
    assert.equal(marked(out, 'early-mark').length, 1)
    assert.equal(marked(out, 'late-mark').length, waits ? 1 : 0)
  }
})

const noTerminals = hasTerminals() ? false : 'needs script(1) of util-linux, and bash'
const QUARK_MON = `'${process.execPath}' '${COMMAND}'`

test('Ctrl-C is the command’s, and its status that of quark-mon', { skip: noTerminals }, async () => {
  using terminal = new Terminal()
  const script = 'trap "exit 5" INT; echo beg""un; while :; do sleep 0.05; done'
  terminal.press(`${QUARK_MON} -q -o /dev/null -- sh -c '${script}'; echo sta""tus $?\n`)
  await terminal.seen('begun')
  terminal.press(CTRL_C)
  await terminal.seen('status 5')
})

test(
  'Ctrl-C twice ends the watching, says so, and waits for the command',
  { skip: noTerminals },
  async () => {
    using terminal = new Terminal()
    const script = 'trap "" INT; echo beg""un; read line; exit 4'
    terminal.press(`${QUARK_MON} -q -o /dev/null -- sh -c '${script}'; echo sta""tus $?\n`)
    await terminal.seen('begun')
    for (;;) {
      terminal.press(CTRL_C)
      const isSeen = await terminal.seen('watches no more', SECOND_KEY_MS).then(
        () => true,
        () => false,
      )
      if (isSeen) break
    }
    terminal.press('line\n')
    await terminal.seen('status 4')
  },
)

test(
  'Ctrl-Z stops both and fg continues both; so does a stop of the command alone',
  { skip: noTerminals },
  async () => {
    using terminal = new Terminal()
    const stops = 'echo beg""un; kill -STOP $$; read line; echo got $line; exit 6'
    terminal.press(`${QUARK_MON} -q -o /dev/null -- sh -c '${stops}'\n`)
    await terminal.seen('begun')
    await terminal.seen('Stopped')
    terminal.press('fg\n')
    await terminal.seen('fg')
    // The command is continued by quark-mon, or with it.
    await sleep(100)
    terminal.press(CTRL_Z)
    await terminal.seen('Stopped')
    terminal.press('fg; echo sta""tus $?\n')
    await terminal.seen('quark-mon')
    terminal.press('line\n')
    await terminal.seen('got line')
    await terminal.seen('status 6')
  },
)

test(
  'when the terminal is closed, a command that goes on is waited for',
  { skip: noTerminals },
  async (t) => {
    const file = join(folder(t), 'file')
    using terminal = new Terminal()
    const script = `trap "" HUP; echo beg""un $$; while [ -e ${file}.wait ]; do sleep 0.05; done; echo $PPID >${file}`
    writeFileSync(`${file}.wait`, '')
    terminal.press(`${QUARK_MON} --json -- sh -c '${script}'\n`)
    await terminal.seen('begun')
    terminal.close()
    await sleep(200)
    rmSync(`${file}.wait`)
    while (!existsSync(file) || readFileSync(file, 'utf8') === '') await sleep(20)
    const launcher = Number(readFileSync(file, 'utf8'))
    while (existsSync(`/proc/${launcher}`)) await sleep(20)
  },
)

interface Report {
  readonly kind: string
  readonly processes: { readonly began: number; readonly ended: number; readonly failed: number }
  readonly mostRuns: readonly { readonly command: string; readonly value: number }[]
  readonly mostMemory?: readonly unknown[]
}

test('--summary is one object of what ran, in place of events', () => {
  const { code, err } = runScript(
    'for i in 1 2 3; do true x | cat; env true; done; env false',
    '--json',
    '--summary',
  )
  assert.equal(code, 1)
  const [report, ...others] = err.split('\n').filter((line) => line.startsWith('{'))
  assert.deepEqual(others, [])
  const { kind, processes, mostRuns, mostMemory } = JSON.parse(report ?? '') as Report
  assert.equal(kind, 'summary')
  assert.deepEqual(processes, { began: 11, ended: 11, failed: 2, killed: 0 })
  const runs = new Map(mostRuns.map(({ command, value }) => [command.replace(/.*\//, ''), value]))
  assert.equal(runs.get('true'), 3)
  assert.equal(runs.get('cat'), 3)
  assert.ok((mostMemory?.length ?? 0) > 0)
})

test('the object of --summary is as schema.json describes it, with all kinds and without', () => {
  // Nothing beside what the schema names is allowed.
  const check = schemaCheck(declarations)
  const script =
    'const n = require("net"); const s = n.createServer((c) => c.end("x")).listen(0, "127.0.0.1", () => {' +
    'n.connect(s.address().port, "127.0.0.1").resume().on("close", () => s.close());' +
    'n.connect(1, "127.0.0.1").on("error", () => {}) });' +
    'require("dgram").createSocket("udp4").send("x", 1, "127.0.0.1", function () { this.close() });' +
    'require("dns").lookup("no.such.name.example", () => {});' +
    'require("child_process").spawnSync("/no/such/program")'
  for (const options of [[], ['--all', '--failed-execs']]) {
    const { err } = runCommand([
      '--json',
      '--summary',
      '-q',
      ...options,
      '--',
      process.execPath,
      '-e',
      script,
    ])
    const lines = err.split('\n').filter((line) => line.startsWith('{"time"'))
    assert.equal(lines.length, 1, err)
    check(lines[0] ?? '')
    const report = JSON.parse(lines[0] ?? '') as Report & {
      readonly connections?: { readonly failed: number }
    }
    assert.ok(report.mostRuns.length > 0)
    assert.equal(report.connections?.failed, options.length === 0 ? undefined : 1)
  }
})

test('--summary with --ecs is one document, and --sockets adds who talked to whom', () => {
  const script =
    'const s = require("net").createServer((c) => c.pipe(c)).listen(0, "127.0.0.1", () => {' +
    'const c = require("net").connect(s.address().port, "127.0.0.1", () => c.end("hello"));' +
    'c.resume().on("close", () => s.close()) })'
  const { code, err } = runCommand(['--ecs', '--summary', '--sockets', '--', process.execPath, '-e', script])
  assert.equal(code, 0)
  const [document, ...others] = err.split('\n').filter((line) => line.startsWith('{'))
  assert.deepEqual(others, [])
  const { event, quark } = JSON.parse(document ?? '') as {
    readonly event: { readonly kind: string }
    readonly quark: {
      readonly summary: {
        readonly processes: object
        readonly connections: object
        readonly most_bytes: object[]
      }
    }
  }
  assert.equal(event.kind, 'metric')
  const { connections, most_bytes: rows } = quark.summary
  assert.deepEqual(connections, {
    opened: 1,
    accepted: 1,
    unaccepted: 0,
    sent_bytes: 10,
    received_bytes: 10,
    failed: 0,
  })
  assert.equal(rows.length, 2)
})

test('SIGUSR1 asks for a summary while the run goes on; with -o events are written, too', async (t) => {
  const file = join(folder(t), 'events')
  const running = new Running(
    ['--json', '--summary', '-o', file, '--', 'sh', '-c', 'echo up; read line'],
    undefined,
    'pipe',
  )
  await running.seen(/up/)
  running.child.kill('SIGUSR1')
  await running.noted(/"kind":"summary"/)
  running.child.stdin?.end()
  const { err } = await running.ended()
  assert.equal(err.match(/"kind":"summary"/g)?.length, 2)
  assert.match(readFileSync(file, 'utf8'), /"kind":"process"/)
})

test('a summary of a recording is that of the run', (t) => {
  const file = join(folder(t), 'recording')
  const script = 'for i in 1 2 3; do env true; done; exit 3'
  const live = runScript(script, '-q', '--usage', '--record', file, '-o', '/dev/null')
  assert.equal(live.code, 3)
  const { out } = runCommand(['--json', '--summary', '-q', '--replay', file])
  const { mostRuns, mostMemory } = JSON.parse(out) as Report
  assert.equal(mostRuns.find(({ command }) => command.endsWith('/true'))?.value, 3)
  assert.ok(mostMemory !== undefined)
})
