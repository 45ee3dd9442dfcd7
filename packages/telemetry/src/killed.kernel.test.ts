import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasProgram } from './testing/native.js'

const INDEX = JSON.stringify(new URL('index.js', import.meta.url).href)
const LIMIT_MS = 60_000

/** Ids of the programs that a process has descriptors of. */
function programsOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/fdinfo`).flatMap((fd) => {
    const id = /^prog_id:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'))?.[1]
    return id === undefined ? [] : [Number(id)]
  })
}

// What kprobes and audit rules leave is removed by the next queue: see the tests of these backends.
test('a process that is killed leaves no program in the kernel', { timeout: 2 * LIMIT_MS }, async () => {
  const script = `import { Quark } from ${INDEX}
    const quark = await Quark.open({ backends: ['ebpf'] })
    console.log('open')
    for await (const event of quark);`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  const ids = [...new Set(programsOf(child.pid!))]
  assert.ok(ids.length > 3)
  assert.ok(ids.every(hasProgram))
  child.kill('SIGKILL')
  await once(child, 'close')
  // The kernel frees programs some time later.
  const endMs = performance.now() + LIMIT_MS
  while (ids.some(hasProgram) && performance.now() < endMs) await sleep(50)
  assert.deepEqual(ids.filter(hasProgram), [])
})
