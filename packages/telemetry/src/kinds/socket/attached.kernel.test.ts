import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { kernelAtLeast, kernelPreempts } from 'quark-ebpf'
import { hasProgram } from '../../testing/native.js'
import type { Watched } from './testing/attached-run.js'

const PROGRAM = fileURLToPath(new URL('testing/attached-run.js', import.meta.url))
const LIMIT = { timeout: 300_000, skip: !kernelAtLeast('5.8') }
/** Programs of cgroups know sockets by the same numbers as others, and cannot be preempted. */
const hasCgroups = kernelAtLeast('6.10') || (kernelAtLeast('5.12') && !kernelPreempts())

/** Starts the program, and waits for the line that it writes. */
async function start(mode: string): Promise<{ child: ChildProcess; watched: Watched }> {
  const child = spawn(process.execPath, [PROGRAM, mode], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  for await (const text of child.stdout.setEncoding('utf8')) {
    output += text
    if (output.includes('\n')) break
  }
  return { child, watched: JSON.parse(output) as Watched }
}

test('nothing stays attached when the process is killed', LIMIT, async () => {
  const { child, watched } = await start('hold')
  assert.ok(watched.programs.length > 5)
  assert.ok(watched.programs.every(hasProgram))
  child.kill('SIGKILL')
  await once(child, 'exit')
  // The kernel frees programs some time later.
  const endMs = performance.now() + 60_000
  while (watched.programs.some(hasProgram) && performance.now() < endMs) await sleep(50)
  assert.deepEqual(watched.programs.filter(hasProgram), [])
})

test(
  'where no cgroup2 is mounted, programs are attached to its root all the same, and let traffic pass',
  { ...LIMIT, skip: !hasCgroups && 'this kernel takes no programs of cgroups beside others' },
  async () => {
    const { child, watched } = await start('unmounted')
    if (child.exitCode === null) await once(child, 'exit')
    assert.ok(
      watched.hooks.some((hook) => hook.startsWith('cgroup')),
      watched.hooks.join(),
    )
    assert.equal(watched.received, 5)
    const directions = new Set(watched.seen?.map((text) => text.split(' ')[0]))
    assert.deepEqual(directions, new Set(['inbound', 'outbound']))
  },
)
