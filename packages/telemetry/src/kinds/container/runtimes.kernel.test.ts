import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Quark } from '../../quark.js'
import type { Process } from '../../process/process.js'

const LIMIT = { timeout: 180_000 }

/** Why a program cannot be used here; undefined if it can. */
function missing(...programs: string[]): string | undefined {
  const absent = programs.filter((program) => spawnSync('which', [program]).status !== 0)
  return absent.length === 0 ? undefined : `not installed: ${absent.join(', ')}`
}

/** A directory with a root of one program, `busybox`. */
function rootOf(t: TestContext): { readonly folder: string; readonly rootfs: string } {
  const folder = mkdtempSync(join(tmpdir(), 'quark-runtime-'))
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  const rootfs = join(folder, 'rootfs')
  for (const part of ['bin', 'etc', 'usr', 'tmp', 'proc', 'sys', 'dev', 'run', 'var', 'root'])
    mkdirSync(join(rootfs, part), { recursive: true })
  writeFileSync(join(rootfs, 'etc/os-release'), 'ID=quark\n')
  const busybox = spawnSync('which', ['busybox']).stdout.toString().trim()
  spawnSync('cp', ['-L', busybox, join(rootfs, 'bin/busybox')])
  return { folder, rootfs }
}

/** Keeps the machine busy with short processes. */
function makeBusy(t: TestContext): void {
  const child = spawn('/bin/sh', ['-c', 'while :; do /bin/true; done'], { stdio: 'ignore' })
  t.after(() => void child.kill('SIGKILL'))
}

/** The events of the process with a last argument, as they come, until it has executed something; undefined if it never does. */
async function firstOf(quark: Quark, word: string, child: ChildProcess): Promise<Process | undefined> {
  const end = performance.now() + 60_000
  while (performance.now() < end) {
    for (const event of quark.poll()) {
      if (event.kind !== 'process' || !event.actions.includes('exec')) continue
      // What starts the container has the word, too, among its own arguments.
      if (
        event.process.argv?.at(-1) === word &&
        event.process.argv.at(-2) === 'sleep' &&
        event.process.argv.length === 3
      )
        return event.process
    }
    if (child.exitCode !== null && child.exitCode !== 0) return undefined
    await quark.wait(50)
  }
  return undefined
}

function complaintsOf(child: ChildProcess): () => string {
  let text = ''
  child.stderr?.setEncoding('utf8').on('data', (more: string) => (text += more))
  return () => text.slice(-300)
}

test(
  'the first process of a container of containerd has its id, its entry and its user, on a busy machine',
  { ...LIMIT, skip: missing('containerd', 'ctr', 'runc', 'busybox') ?? false },
  async (t) => {
    const { folder, rootfs } = rootOf(t)
    const address = join(folder, 'containerd.sock')
    const config = join(folder, 'config.toml')
    writeFileSync(
      config,
      `version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${address}"
[ttrpc]
  address = "${folder}/ttrpc.sock"
`,
    )
    const daemon = spawn('containerd', ['-c', config], { stdio: 'ignore' })
    t.after(async () => {
      daemon.kill()
      if (daemon.exitCode === null) await new Promise((resolve) => void daemon.once('exit', resolve))
    })
    const ctr = (...args: string[]) => spawnSync('ctr', ['-a', address, ...args], { encoding: 'utf8' })
    let isUp = false
    for (let i = 0; i < 200 && !isUp; i++) {
      isUp = ctr('version').status === 0
      if (!isUp) await sleep(100)
    }
    if (!isUp) return t.skip('containerd does not start here')
    makeBusy(t)
    await using quark = await Quark.open({ holdMs: 300 })
    const id = randomBytes(32).toString('hex')
    const run = ['run', '--rm', '--null-io', '--rootfs', rootfs, id]
    const child = spawn('ctr', ['-a', address, ...run, '/bin/busybox', 'sleep', '1.11'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const complaints = complaintsOf(child)
    const process = await firstOf(quark, '1.11', child)
    if (process === undefined && complaints() !== '') return t.skip(`ctr run fails here: ${complaints()}`)
    assert.ok(process !== undefined, 'the first process of the container is missing')
    assert.deepEqual(
      [
        process.container?.runtime,
        process.container?.id,
        process.entry?.type,
        process.entry?.pid,
        process.euid,
      ],
      ['containerd', id, 'container', process.pid, 0],
    )
    if (child.exitCode === null) await new Promise((resolve) => void child.once('exit', resolve))
  },
)

test(
  'the first process of a container of systemd-nspawn is an entry, on a busy machine',
  { ...LIMIT, skip: missing('systemd-nspawn', 'busybox') ?? false },
  async (t) => {
    const { rootfs } = rootOf(t)
    makeBusy(t)
    await using quark = await Quark.open({ holdMs: 300 })
    const options = ['-q', '-D', rootfs, '--register=no', '--keep-unit', '--machine=quark-nspawn']
    const child = spawn('systemd-nspawn', [...options, '/bin/busybox', 'sleep', '1.12'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const complaints = complaintsOf(child)
    const process = await firstOf(quark, '1.12', child)
    if (process === undefined && complaints() !== '')
      return t.skip(`systemd-nspawn fails here: ${complaints()}`)
    assert.ok(process !== undefined, 'the first process of the container is missing')
    // Without systemd-machined the path of its cgroup does not name it.
    assert.deepEqual([process.entry?.type, process.entry?.pid, process.euid], ['container', process.pid, 0])
    if (child.exitCode === null) await new Promise((resolve) => void child.once('exit', resolve))
  },
)
