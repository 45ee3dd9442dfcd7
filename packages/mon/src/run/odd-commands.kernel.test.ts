/** `quark-mon run` of commands that do what they should not: the report is as complete as it says. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ReportedProcess, RunReport } from 'quark-telemetry'
import { COMMAND, type Run, runCommand, Running } from '../testing/command.js'
import { CTRL_C, hasTerminals, Terminal } from '../testing/terminal.js'

/** A user that has no account and no processes. */
const STRANGER = 54_377
const ST_NOSUID = 2
const SECOND_KEY_MS = 1200
const SIGKILL = 9

const root = mkdtempSync(join(tmpdir(), 'quark-mon-odd-'))
chmodSync(root, 0o755)
after(() => rmSync(root, { recursive: true }))
const file = join(root, 'report.json')

interface Reported extends Run {
  readonly report: RunReport
}

function reportIn(path = file): RunReport {
  return JSON.parse(readFileSync(path, 'utf8')) as RunReport
}

/** Runs a command to its end; its report has to be complete. */
function run(command: readonly string[], ...options: string[]): Reported {
  rmSync(file, { force: true })
  const ran = runCommand(['run', `--report=${file}`, ...options, '--', ...command])
  const report = reportIn()
  assert.deepEqual(report.missing, [], ran.err)
  assert.equal(report.processes.created, report.processes.seen)
  return { ...ran, report }
}

function sh(script: string, ...options: string[]): Reported {
  return run(['sh', '-c', script], ...options)
}

function processesIn(tree: readonly ReportedProcess[]): ReportedProcess[] {
  return tree.flatMap((process) => [process, ...processesIn(process.children ?? [])])
}

function commandsOf({ report }: Reported): string[] {
  return processesIn(report.tree).map(({ command }) => command)
}

test('a command that is not there, or cannot be executed, has no report', () => {
  const path = join(root, 'not-executable')
  writeFileSync(path, 'x')
  for (const [command, status] of [
    [join(root, 'absent'), 127],
    [path, 126],
    [root, 126],
  ] as const) {
    const ran = runCommand(['run', `--report=${join(root, 'none.json')}`, '--', command])
    assert.equal(ran.code, status, ran.err)
    assert.match(ran.err, /^quark-mon: Cannot run .*\n$/)
  }
  assert.ok(!existsSync(join(root, 'none.json')))
})

test('a command that stops itself goes on when it is continued', async () => {
  rmSync(file, { force: true })
  const running = new Running(['run', `--report=${file}`, '--', 'sh', '-c', 'echo $$; kill -STOP $$; exit 6'])
  let pid = ''
  running.child.stdout?.on('data', (text: string) => (pid += text))
  await running.seen(/^\d+\n/)
  const stateOf = (): string => readFileSync(`/proc/${pid.trim()}/status`, 'latin1')
  while (!/^State:\tT/m.test(stateOf())) await sleep(10)
  // Quark-mon has stopped, too, where somebody can continue it.
  for (const one of [running.pid, Number(pid)]) process.kill(one, 'SIGCONT')
  assert.equal((await running.ended()).code, 6)
  const { exitCode, missing } = reportIn()
  assert.deepEqual([exitCode, missing], [6, []])
})

test('a command that is killed is reported so, and quark-mon ends in the same way', () => {
  const { signal, report } = sh('kill -KILL $$')
  assert.equal(signal, 'SIGKILL')
  assert.equal(report.exitSignal, SIGKILL)
  assert.equal(report.exitCode, undefined)
  assert.equal(report.tree[0]?.exitSignal, SIGKILL)
})

test('a bomb of forks, of limited strength, is followed to its end', { timeout: 300_000 }, () => {
  // Each process makes two, ten generations long.
  const script = 'f() { [ $1 -eq 0 ] || { f $(($1 - 1)) & f $(($1 - 1)) & wait; }; }; f 10'
  const { code, report } = sh(script, '--wait')
  assert.equal(code, 0)
  assert.equal(report.processes.created, 2 ** 11 - 1)
  assert.ok((report.leftOut.tree ?? 0) + processesIn(report.tree).length === 2 ** 11 - 1)
})

test('a bomb of forks does not hinder a signal', { timeout: 120_000 }, async () => {
  // No more than 40 at the same time, and without end: the user's limit holds, which root has not.
  const script = 'ulimit -u 40; echo up; while :; do (:; :) & done 2>/dev/null'
  const options = ['run', `--report=${join(root, 'bomb.json')}`, `--as=${STRANGER}`]
  const running = new Running([...options, '--', 'sh', '-c', script])
  await running.seen(/up/)
  await sleep(1000)
  running.child.kill('SIGTERM')
  assert.equal((await running.ended()).signal, 'SIGTERM')
  const { processes, missing } = reportIn(join(root, 'bomb.json'))
  assert.ok(processes.seen > 40, `${processes.seen}`)
  // Those of the last moment may be seen or not: then it is said.
  assert.equal(processes.created === processes.seen, !missing.join().includes('were created'))
})

test('a daemon is reported as still running, and not waited for', () => {
  const { report } = sh('setsid sleep 20 >/dev/null 2>&1 </dev/null & exit 0')
  const [daemon, ...others] = report.running
  assert.deepEqual(others, [])
  assert.match(daemon?.command ?? '', /sleep 20$/)
  process.kill(daemon?.pid ?? 0)
})

test('who forks twice at once, and leaves its session, is followed', () => {
  const made = join(root, 'by-grandchildren')
  const once = `(setsid sh -c '(/bin/sh -c "echo x >>${made}" double-fork &) & exit 0' &) & exit 0`
  const { report, ...ran } = sh(
    `for i in 1 2 3 4 5 6 7 8 9 10; do sh -c '${once.replaceAll("'", `'\\''`)}'; done`,
    '--wait',
  )
  const commands = commandsOf({ report, ...ran }).filter((command) => command.endsWith(' double-fork'))
  assert.equal(commands.length, 10)
  assert.equal(report.activities.created?.find(({ target }) => target === made)?.count, 1)
})

test('a command that forks, leaves its session and ends before anything else is followed', (t) => {
  if (spawnSync('setsid', ['--fork', 'true']).status !== 0) {
    t.diagnostic('this setsid(1) does not fork')
    return
  }
  const made = join(root, 'by-who-left')
  const { code, report } = run(['setsid', '--fork', 'sh', '-c', `sleep 0.2; echo x >${made}`], '--wait')
  assert.equal(code, 0)
  assert.ok((report.processes.created ?? 0) >= 2)
  assert.ok(report.activities.created?.some(({ target }) => target === made))
})

test('what has another uid, a pid namespace and other namespaces of its own is followed', (t) => {
  const made = join(root, 'by-another-user')
  mkdirSync(made, { mode: 0o777 })
  chmodSync(made, 0o777)
  const change = `setpriv --reuid=${STRANGER} --clear-groups sh -c 'echo x >${made}/file; id -u'`
  const changed = sh(change)
  assert.equal(changed.out, `${STRANGER}\n`)
  assert.ok(changed.report.activities.created?.some(({ target }) => target === `${made}/file`))
  const script = `echo $$; sh -c 'sh -c true; true'; echo x >${made}/inside`
  const namespaces = ['unshare', '--pid', '--fork', '--mount', '--net', '--ipc', '--uts', '--mount-proc']
  if (spawnSync(namespaces[0] as string, [...namespaces.slice(1), 'true']).status !== 0) {
    t.diagnostic('no namespaces can be made here')
    return
  }
  const inside = run([...namespaces, 'sh', '-c', script])
  assert.equal(inside.out, '1\n', 'it has a pid namespace')
  assert.ok(inside.report.processes.seen >= 4)
  assert.ok(inside.report.activities.created?.some(({ target }) => target === `${made}/inside`))
  assert.ok(processesIn(inside.report.tree).every(({ pid }) => pid > 1))
})

test('a set-uid program works, and is followed', (t) => {
  if ((statfsSync(root).type & ST_NOSUID) !== 0) {
    t.diagnostic('the file system has no set-uid programs')
    return
  }
  const path = join(root, 'id')
  copyFileSync('/usr/bin/id', path)
  chmodSync(path, 0o4755)
  const { out, report } = sh(`${path}; true`, `--as=${STRANGER}`)
  assert.match(out, new RegExp(`^uid=${STRANGER} .*euid=0\\(root\\)`))
  assert.ok(report.executables.some((one) => one.path === path))
})

test('with sudo the command, the files and the home are the caller’s', () => {
  const home = join(root, 'home')
  const directory = join(root, 'work')
  for (const path of [home, directory]) {
    mkdirSync(path)
    chownSync(path, 1, 1)
  }
  const env = { PATH: process.env['PATH'], SUDO_UID: '1', SUDO_GID: '1', SUDO_USER: 'daemon', HOME: home }
  const files = {
    report: join(root, 'sudo.json'),
    baseline: join(root, 'sudo.baseline'),
    trace: join(root, 'sudo.trace'),
  }
  const options = Object.entries(files).map(([name, path]) => `--${name}=${path}`)
  const script = 'id -un; echo ${SUDO_UID-none}; echo x >"$HOME/mine"'
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [COMMAND, 'run', ...options, '--', 'sh', '-c', script],
    { cwd: directory, env, encoding: 'utf8' },
  )
  assert.deepEqual([status, stdout], [0, 'daemon\nnone\n'], stderr)
  for (const path of Object.values(files)) assert.equal(statSync(path).uid, 1, path)
  assert.equal(statSync(join(home, 'mine')).uid, 1)
  assert.match(readFileSync(files.baseline, 'utf8'), /^touched {3}~\/mine$/m)
  // Never as root by accident.
  const broken = spawnSync(process.execPath, [COMMAND, 'run', '--', 'id', '-un'], {
    env: { ...env, SUDO_UID: 'daemon' },
    encoding: 'utf8',
  })
  assert.deepEqual([broken.status, broken.stdout], [125, ''])
  assert.match(broken.stderr, /^quark-mon: Cannot know who called sudo: SUDO_UID is "daemon"/)
})

test('output that is closed early is the command’s affair, and a report that nobody reads is left', () => {
  const path = join(root, 'closed.json')
  const shell = (script: string) =>
    spawnSync('bash', ['-c', script, 'bash', process.execPath, COMMAND], { encoding: 'utf8' })
  const closed = shell(`"$1" "$2" run --report=${path} -- yes | head -n 1; echo \${PIPESTATUS[0]}`)
  // 128 and the number of SIGPIPE.
  assert.equal(closed.stdout, 'y\n141\n', closed.stderr)
  assert.equal(reportIn(path).exitSignal, 13)
  assert.equal(shell('"$1" "$2" run -- sh -c "exit 3" 2>&-; echo $?').stdout, '3\n')
  assert.equal(shell('"$1" "$2" run -- sh -c "exit 3" 2> >(exec <&-); echo $?').stdout, '3\n')
})

const noTerminals = hasTerminals() ? false : 'needs script(1) of util-linux, and bash'

test(
  'after Ctrl-C twice there is a report, which says that it is not the whole',
  { skip: noTerminals },
  async () => {
    using terminal = new Terminal()
    const path = join(root, 'twice.json')
    const script = 'trap "" INT; echo beg""un; read line; exit 4'
    terminal.press(
      `'${process.execPath}' '${COMMAND}' run --report=${path} -- sh -c '${script}'; echo sta""tus $?\n`,
    )
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
    const { isComplete, missing } = reportIn(path)
    assert.deepEqual([isComplete, missing], [false, ['the command had not ended when the watching did']])
  },
)
