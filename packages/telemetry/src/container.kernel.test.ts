import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { Quark } from './quark.js'
import type { MissingFact } from './pipeline/stats.js'
import { exitingProgram } from './testing/elf.js'
import { makeDirectory, writeProgram } from './testing/scenario.js'

const STATUS = 5
const NAME = 'in-a-container'
const INDEX = JSON.stringify(new URL('index.js', import.meta.url).href)
const NATIVE = JSON.stringify(new URL('testing/native.js', import.meta.url).href)
const LIMIT = { timeout: 600_000 }

let directory = ''
let program = ''
before(() => {
  directory = makeDirectory('container')
  program = writeProgram(directory, NAME, exitingProgram(STATUS))
})
after(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** What a queue in a container reports of itself, and of a program that was started there. */
interface Findings {
  readonly error?: string
  readonly missing: readonly MissingFact[]
  readonly ownPid: number
  /** The pid of the program as the container has it, and as the events have it. */
  readonly childPid: number
  readonly pids: readonly number[]
  readonly ppids: readonly number[]
  readonly snapshots: readonly number[]
  /** What the queue has about the pids that the container shows. */
  readonly lookedUp: readonly (string | undefined)[]
}

/** A module that opens a queue, runs the program, and writes `Findings`. */
function watcher(backends: readonly string[] | undefined): string {
  const options = JSON.stringify({ ...(backends && { backends }), snapshot: true, holdMs: 50 })
  return `
import { Quark } from ${INDEX}
import { spawn } from 'node:child_process'
import { once } from 'node:events'
const write = (findings) => console.log(JSON.stringify(findings))
try {
  const quark = await Quark.open(${options})
  const lookedUp = [1, process.pid].map((pid) => quark.lookup(pid)?.argv?.join(' '))
  const child = spawn(${JSON.stringify(program)})
  await once(child, 'close')
  const events = [...quark.poll(), ...quark.finish()]
  const own = events.filter(({ kind, process }) => kind === 'process' && process.comm === '${NAME}')
  write({
    missing: quark.capabilities.missing,
    ownPid: process.pid,
    childPid: child.pid,
    pids: [...new Set(own.map(({ process }) => process.pid))],
    ppids: [...new Set(own.map(({ process }) => process.ppid))],
    snapshots: events.filter(({ kind }) => kind === 'snapshot').map(({ process }) => process.pid),
    lookedUp,
  })
  await quark.close()
} catch (error) {
  write({ error: error.message })
}`
}

async function findingsOf(command: readonly string[]): Promise<Findings> {
  const [file = '', ...args] = command
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  await once(child, 'close')
  return JSON.parse(output) as Findings
}

function node(script: string): string[] {
  return [process.execPath, '--input-type=module', '-e', script]
}

/** Watches a container from outside: the pids of the program as the host has them. */
async function fromOutside(command: readonly string[]): Promise<{ findings: Findings; hostPids: number[] }> {
  await using quark = await Quark.open({ holdMs: 50 })
  const findings = await findingsOf(command)
  const events = [...quark.poll(), ...quark.finish()]
  const own = events.flatMap(({ process: found }) => (found?.comm === NAME ? [found.pid] : []))
  return { findings, hostPids: [...new Set(own)] }
}

const OWN_PROC = ['unshare', '-m', '-p', '-f', '--mount-proc']
const HOST_PROC = ['unshare', '-p', '-f']

test(
  'in a pid namespace with a /proc of its own, pids are those of the host, and /proc is not read',
  LIMIT,
  async () => {
    const { findings, hostPids } = await fromOutside([...OWN_PROC, ...node(watcher(['ebpf']))])
    assert.equal(findings.error, undefined)
    assert.deepEqual([findings.ownPid, findings.pids], [1, hostPids])
    assert.equal(hostPids.length, 1)
    assert.ok(!findings.pids.includes(findings.childPid) && !findings.ppids.includes(findings.ownPid))
    assert.deepEqual([findings.snapshots, findings.lookedUp], [[], [null, null]])
    const reason = findings.missing.find(({ fact }) => fact === 'processes that exist already')?.reason
    assert.match(
      reason ?? '',
      /pids of another pid namespace.* those that the kernel reports are of the initial one.*--pid=host/,
    )
  },
)

test(
  "in a pid namespace of its own that sees the host's /proc, all pids are those of the host",
  LIMIT,
  async () => {
    const { findings, hostPids } = await fromOutside([...HOST_PROC, ...node(watcher(['ebpf']))])
    assert.equal(findings.error, undefined)
    assert.deepEqual([findings.ownPid, findings.pids], [1, hostPids])
    assert.ok(findings.snapshots.includes(process.pid))
    assert.deepEqual(
      findings.missing.filter(({ fact }) => fact === 'processes that exist already'),
      [],
    )
  },
)

test('backends that look processes up in /proc refuse one of another pid namespace', LIMIT, async (t) => {
  for (const backend of ['procConnector', 'audit']) {
    await t.test(backend, async () => {
      const { error } = await findingsOf([...OWN_PROC, ...node(watcher([backend]))])
      assert.match(
        error ?? '',
        /: Cannot use (the proc connector|audit): \/proc shows the pids of another pid namespace/,
      )
    })
  }
  await t.test('/proc is not mounted', async () => {
    const bare = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /proc && exec "$@"', 'sh']
    const { error } = await findingsOf([...bare, ...node(watcher(['procConnector']))])
    assert.match(error ?? '', /\/proc is not mounted \(run: mount -t proc proc \/proc\)/)
  })
})

test(
  'root without capabilities is refused, or reports what is missing, by the names of the capabilities',
  LIMIT,
  async () => {
    const inner = node(watcher(undefined))
    const script = `
import { dropCapabilities } from ${NATIVE}
import { spawnSync } from 'node:child_process'
dropCapabilities()
spawnSync(${JSON.stringify(inner[0])}, ${JSON.stringify(inner.slice(1))}, { stdio: 'inherit' })`
    const { error, missing } = await findingsOf(node(script))
    const ebpf = error ?? missing.find(({ fact }) => fact === 'backend ebpf')?.reason ?? ''
    assert.match(ebpf, /CAP_(BPF|SYS_ADMIN)/)
    if (error !== undefined) assert.match(error, /ebpf: .*; kprobe: .*; procConnector: /)
    else assert.ok(missing.some(({ fact }) => fact === 'facts of short-lived processes'))
  },
)
