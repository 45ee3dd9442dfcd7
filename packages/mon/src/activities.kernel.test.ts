import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { release } from 'node:os'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runCommand, Running } from './testing/command.js'

/** Kinds of which everything is decided in the kernel: their folders, options, and what their programs write. */
const KINDS = {
  ptrace: { option: '-T', kind: 'ptrace' },
  shm: { option: '-H', kind: 'sharedMemory' },
  processAccess: { option: '--process-access', kind: 'processAccess' },
  bpf: { option: '--bpf', kind: 'bpf' },
  getpid: { option: '-G', kind: 'getpid' },
} as const

/** The engine makes memory executable in each program that it runs. */
const MEMORY = { option: '--executable-memory', kind: 'executableMemory', program: 'getpid' } as const

let target: ChildProcess
before(async () => {
  target = spawn('sleep', ['1000'])
  await once(target, 'spawn')
})
after(() => void target.kill())

/** Runs the program of a kind's test, which does what the kind is about. */
function perform(name: string): number {
  const program = new URL(`../../telemetry/dist/kinds/${name}/testing/situation.js`, import.meta.url)
  const run = spawnSync(process.execPath, [fileURLToPath(program), String(target.pid)], { encoding: 'utf8' })
  assert.equal(run.status, 0, run.stderr)
  return run.pid
}

test('with -D activities of processes are still seen', { timeout: 240_000 }, async () => {
  const kinds = [...Object.entries(KINDS).map(([program, kind]) => ({ program, ...kind })), MEMORY]
  const options = kinds.map(({ option }) => option)
  const running = new Running(['-D', '-q', '--json', '--hold=10', '--ring-size=16M', ...options])
  await running.seen(/"kind":"snapshot"|"kind":"process"/)
  for (const { program, kind } of kinds) {
    const pid = perform(program)
    await running.seen(new RegExp(`^\\{"kind":"${kind}".*"pid":${pid}[,}]`, 'm'))
  }
  running.child.kill('SIGINT')
  const { code } = await running.ended()
  assert.equal(code, 0)
})

/** Where a guest has modules of its kernel. */
const DUMMY = `/app/modules/${release()}/dummy.ko`

test(
  'with -D modules that are loaded and unloaded are still seen',
  { timeout: 120_000, skip: !existsSync(DUMMY) && 'there is no module to load' },
  async () => {
    const running = new Running(['-D', '-q', '--json', '--hold=10', '-L'])
    await running.seen(/"kind":"snapshot"|"kind":"process"/)
    for (const [command, action] of [
      [`insmod ${DUMMY}`, 'load'],
      ['rmmod dummy', 'unload'],
    ] as const) {
      assert.equal(spawnSync('sh', ['-c', command]).status, 0)
      await running.seen(new RegExp(`^\\{"kind":"module".*"action":"${action}".*"name":"dummy"`, 'm'))
    }
    running.child.kill('SIGINT')
    const { code } = await running.ended()
    assert.equal(code, 0)
  },
)

test('-L where there are no modules says so, and processes are watched', { timeout: 60_000 }, async (t) => {
  if (existsSync('/proc/modules')) return t.skip('this kernel has modules')
  const { code, err } = runCommand(['-L', '-q', '--duration=0.5'])
  assert.equal(code, 0, err)
  assert.match(err, /module/)
})
