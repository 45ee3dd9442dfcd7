import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { AuditControl } from 'quark-ebpf'
import { Quark } from '../../quark.js'
import { exitingProgram, sleepingProgram } from '../../testing/elf.js'
import { silenceAudit } from '../../testing/native.js'
import { collectUntilExit, makeDirectory, runScenario, writeProgram } from '../../testing/scenario.js'

const backends = ['audit'] as const

/** Auditing slows a whole machine, and rules that a failing test leaves outlive it. */
const skip = process.env['KERNEL_TEST_FILE'] === undefined ? 'it changes the machine: only in guests' : false

let directory = ''
before(() => {
  directory = makeDirectory('audit')
})
after(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** What the audit system is like: whether it is on, and how many rules there are. */
function auditState(): { enabled: number; rules: number; backlogLimit: number } {
  using control = new AuditControl()
  const { enabled, backlogLimit } = control.status()
  return { enabled, rules: control.rules().length, backlogLimit }
}

test('the audit system is left as it was found', { skip }, async () => {
  const before = auditState()
  const first = await Quark.open({ backends })
  const second = await Quark.open({ backends })
  const during = auditState()
  assert.equal(during.enabled, 1)
  assert.ok(during.rules > before.rules)
  await first.close()
  assert.equal(auditState().enabled, 1, 'another queue still needs it')
  await second.close()
  assert.deepEqual(auditState(), before)
})

test('the next queue deletes the rules of one that was killed', { skip }, async () => {
  const before = auditState()
  const quarkUrl = new URL('../../quark.js', import.meta.url).href
  const script = `import { Quark } from ${JSON.stringify(quarkUrl)}
    await Quark.open({ backends: ['audit'] })
    process.kill(process.pid, 'SIGKILL')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' })
  const [, signal] = (await once(child, 'close')) as [number | null, string | null]
  assert.equal(signal, 'SIGKILL')
  assert.ok(auditState().rules > before.rules, 'rules must have been left behind')
  const quark = await Quark.open({ backends })
  await quark.close()
  assert.deepEqual(auditState(), before)
})

/** Another process owns the audit system while `body` runs. */
async function withOwner(body: (ownerPid: number) => Promise<void>): Promise<void> {
  const nativeUrl = new URL('../../testing/native.js', import.meta.url).href
  const script = `import { ownAudit } from ${JSON.stringify(nativeUrl)}
    const giveUp = ownAudit()
    console.log('owner')
    process.stdin.on('end', giveUp).resume()`
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const closed = once(owner, 'close')
  await once(owner.stdout, 'data')
  try {
    await body(owner.pid!)
  } finally {
    owner.stdin.end()
    await closed
  }
}

test('an audit system that another tool owns is listened to, and its settings stay', { skip }, async () => {
  using control = new AuditControl()
  const before = auditState()
  await withOwner(async (ownerPid) => {
    assert.equal(control.status().ownerPid, ownerPid)
    await assert.rejects(Quark.open({ backends }), (error: Error) =>
      error.message.includes(`process ${ownerPid} owns it and has turned it off (auditctl -e 1 turns it on)`),
    )
    assert.deepEqual(auditState(), before)

    control.setEnabled(1)
    const owned = auditState()
    const quark = await Quark.open({ backends, holdMs: 100 })
    const { attached } = quark.capabilities
    assert.ok(attached.some(({ flavor }) => flavor === `multicast, beside process ${ownerPid}`))
    assert.equal(auditState().backlogLimit, owned.backlogLimit)
    const child = spawn(writeProgram(directory, 'beside', exitingProgram(3)), { stdio: 'ignore' })
    const events = await collectUntilExit(quark, child.pid!)
    await quark.close()
    const own = events.flatMap((event) =>
      event.kind === 'process' && event.process.pid === child.pid ? event.process.exitCode : [],
    )
    assert.equal(own.at(-1), 3)
    assert.deepEqual([auditState(), control.status().ownerPid], [owned, ownerPid])
    control.setEnabled(0)
  })
  assert.deepEqual([auditState(), control.status().ownerPid], [before, 0])
})

test('a rule that keeps every process from being audited is named, and left alone', { skip }, async () => {
  using control = new AuditControl()
  const before = auditState()
  silenceAudit()
  const silencing = control.rules().filter(({ silencesTasks }) => silencesTasks)
  try {
    assert.equal(silencing.length, 1)
    await assert.rejects(
      Quark.open({ backends }),
      /a rule keeps all processes from being audited \(auditctl -d never,task/,
    )
    assert.equal(auditState().rules, before.rules + 1)
  } finally {
    for (const { bytes } of silencing) control.deleteRule(bytes)
  }
  assert.deepEqual(auditState(), before)
})

test('a process is reported with its arguments, its child, and its end', { skip }, async () => {
  await using quark = await Quark.open({ backends, holdMs: 100 })
  const sleeper = writeProgram(directory, 'sleeper', sleepingProgram())
  const long = 'x'.repeat(20_000)
  const script = '"$0" "$@" & sleep 1; kill -9 $!; wait $!; exit 7'
  const argv = ['/bin/sh', '-c', script, sleeper, 'two words', 'quote"d', '', 'ä', long]
  const child = spawn('/bin/sh', argv.slice(1), { cwd: directory, stdio: 'ignore', env: process.env })
  const events = await collectUntilExit(quark, child.pid!)
  const reported = events.filter((event) => event.kind === 'process')
  const shell = reported.filter(({ process }) => process.pid === child.pid).at(-1)!.process
  assert.deepEqual(
    { ppid: shell.ppid, argv: shell.argv, cwd: shell.cwd, uid: shell.uid, exitCode: shell.exitCode },
    { ppid: process.pid, argv, cwd: directory, uid: 0, exitCode: 7 },
  )
  const asleep = reported.find(({ process }) => process.comm === 'sleeper' && process.ppid === child.pid)
  assert.ok(asleep !== undefined, 'the child of the shell is missing')
  assert.deepEqual(
    { actions: asleep.actions.slice(0, 2), argv: asleep.process.argv, exe: asleep.process.exe },
    { actions: ['fork', 'exec'], argv: argv.slice(3), exe: sleeper },
  )
  assert.equal(quark.stats().lost, 0)
})

/** Complaints about facts that audit does not report. */
const ABSENT = [
  /: \w+ (is|was) undefined/,
  /: commChange appears 0 times/,
  /: ended with undefined or signal undefined, /,
  /: coreDumped is false/,
  // The test's own process began before auditing, so that its forks are not reported.
  /^scenario \(pid \d+\): pid \d+ does not begin with its only fork/,
  // Killed, which is reported some seconds later.
  /does not end with its only exit: fork(,exec)+$/,
  // A name that was written to /proc/self/comm.
  /^comm-file \(pid \d+\): comm is /,
]

/** A fork is reported when its call returns, and the child may have done a lot by then. */
const HOLD_MS = 2000

/** When /proc does not show a process any more, its start is that of the call which made it, on a slow machine. */
const START_PRECISION_NS = 200_000_000

test('what it reports of the scenario is true, or absent', { skip }, async (t) => {
  const { accepted } = await runScenario(
    (options) => Quark.open({ ...options, holdMs: HOLD_MS, backends }),
    (complaint) => ABSENT.some((pattern) => pattern.test(complaint)),
    { startPrecisionNs: START_PRECISION_NS },
  )
  for (const line of accepted) t.diagnostic(line)
})
