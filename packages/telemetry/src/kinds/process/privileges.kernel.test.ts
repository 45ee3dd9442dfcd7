import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import { Quark } from '../../quark.js'
import { callingProgram } from '../../testing/elf.js'
import { collectUntilExit, makeDirectory, writeProgram } from '../../testing/scenario.js'

const CAP_KILL = 5n

test('a daemon that is root for a moment is visible as root', { timeout: 60_000 }, async (t) => {
  const directory = makeDirectory('privileges')
  t.after(() => rmSync(directory, { recursive: true }))
  const user = ['setresuid', 1000, 1000, 0] as const
  const root = ['setresuid', 1000, 0, 0] as const
  const calls = [user, root, user, root, user, ['exit_group', 3] as const]
  const program = writeProgram(directory, 'daemon', callingProgram(calls))
  await using quark = await Quark.open({ backends: ['ebpf'] })
  const child = spawn(program, { stdio: 'ignore' })
  const events = await collectUntilExit(quark, child.pid ?? 0)
  const steps = events.flatMap((event) => {
    if (event.kind !== 'process' || event.process.pid !== child.pid) return []
    const { idChange, process } = event
    const killsOthers = ((process.capEffective ?? 0n) >> CAP_KILL) & 1n
    return idChange === undefined ? [] : [`${idChange.from.euid}->${idChange.to.euid} ${killsOthers}`]
  })
  assert.deepEqual(steps, ['0->1000 0', '1000->0 1', '0->1000 0', '1000->0 1', '0->1000 0'])
})
