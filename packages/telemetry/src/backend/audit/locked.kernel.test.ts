import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { AuditControl } from 'quark-ebpf'
import { BackendError } from '../../errors.js'
import { Quark } from '../../quark.js'
import { exitingProgram } from '../../testing/elf.js'
import { collectUntilExit, makeDirectory, writeProgram } from '../../testing/scenario.js'

const backends = ['audit'] as const

/** Rules that are locked stay so until the next boot, and every other test of audit would fail from then on. */
const skip =
  process.env['QUARK_LOCK_AUDIT'] === undefined
    ? 'it locks audit until the next boot: only in a guest of its own, with QUARK_LOCK_AUDIT=1'
    : false

let directory = ''
before(() => {
  directory = makeDirectory('audit-locked')
})
after(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** All that can be seen of the audit system. */
function auditState(): unknown {
  using control = new AuditControl()
  const { enabled, ownerPid, backlogLimit } = control.status()
  return { enabled, ownerPid, backlogLimit, rules: control.rules().map(({ bytes }) => bytes) }
}

test(
  'rules that are locked while a queue is open do not disturb it; the next one is refused',
  { skip },
  async () => {
    const quark = await Quark.open({ backends, holdMs: 100 })
    using control = new AuditControl()
    control.setEnabled(2)
    const locked = auditState()
    assert.throws(() => control.setEnabled(1), 'the kernel has not locked its rules')
    const child = spawn(writeProgram(directory, 'locked', exitingProgram(3)), { stdio: 'ignore' })
    const events = await collectUntilExit(quark, child.pid!)
    await quark.close()
    const codes = events.flatMap((event) =>
      event.kind === 'process' && event.process.pid === child.pid ? event.process.exitCode : [],
    )
    assert.equal(codes.at(-1), 3)
    await assert.rejects(
      Quark.open({ backends }),
      (error: unknown) =>
        error instanceof BackendError &&
        error.message.endsWith('audit: Cannot use audit: its rules are locked until the next boot'),
    )
    assert.deepEqual(auditState(), locked)
  },
)
