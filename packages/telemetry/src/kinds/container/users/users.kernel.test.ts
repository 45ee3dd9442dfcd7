import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Process } from '../../../process/process.js'
import { Quark } from '../../../quark.js'
import { mountDead } from '../../../testing/dead-mount.js'
import type { QuarkEvent } from '../../index.js'
import { containerCgroup, takeUntil } from '../testing/cgroups.js'
import { ID } from '../testing/fakes.js'

const LIMIT = { timeout: 120_000 }
const busybox = spawnSync('which', ['busybox']).stdout.toString().trim()
/** The one of busybox has no other root. */
const hasUnshare = spawnSync('unshare', ['--root=/', '--setuid=0', '/bin/sh', '-c', ':']).status === 0
const OF_BUSYBOX = {
  ...LIMIT,
  skip: busybox === '' ? 'needs busybox' : hasUnshare ? false : 'needs unshare(1) of util-linux',
}
const OTHER_ID = ID.replace(/^./, 'a')
const UID = 4242

/** A root directory with busybox, and with users of its own. */
function rootOf(t: TestContext, beforeRemoval = (): void => undefined): string {
  const root = mkdtempSync(join(tmpdir(), 'quark-users-'))
  t.after(() => {
    beforeRemoval()
    rmSync(root, { recursive: true, force: true })
  })
  chmodSync(root, 0o755)
  for (const part of ['bin', 'etc']) mkdirSync(join(root, part))
  copyFileSync(busybox, join(root, 'bin/busybox'))
  writeFileSync(join(root, 'etc/passwd'), `boss:x:0:0:::\nworker:x:${UID}:${UID}:::\n`)
  writeFileSync(join(root, 'etc/group'), `staff:x:0:\ncrew:x:${UID}:\n`)
  return root
}

/** Runs `sleep` as a user in a root and a cgroup; it has no session of its own, so that nobody is its entry leader. */
function sleepIn(t: TestContext, cgroup: string, root: string, seconds: string, uid = UID): void {
  // Unlike chroot(1) it does not look into the files of users itself.
  const enter = `unshare --root=${root} --setgid=${uid} --setuid=${uid}`
  const command = `echo $$ > ${cgroup}/cgroup.procs; exec ${enter} /bin/busybox sleep ${seconds}`
  const child = spawn('/bin/sh', ['-c', command], { stdio: 'ignore' })
  t.after(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
}

const isUser = (event: QuarkEvent): boolean => event.kind === 'container' && event.uid === UID

/** The exec of `busybox sleep` with these seconds. */
function execOf(events: readonly QuarkEvent[], seconds: string): Process | undefined {
  const found = events.find(
    ({ kind, process }) =>
      kind === 'process' && process?.argv?.[1] === 'sleep' && process.argv[2] === seconds,
  )
  return found?.process
}

test('users and groups have the names of the files in the container', OF_BUSYBOX, async (t) => {
  const cgroup = containerCgroup(t)
  const root = rootOf(t)
  await using quark = await Quark.open({ containerUsers: true, holdMs: 50 })
  const events: QuarkEvent[] = []
  sleepIn(t, cgroup, root, '44.01')
  const known = await takeUntil(quark, events, isUser)
  assert.ok(known?.kind === 'container')
  assert.deepEqual(
    [known.container?.id, known.uid, known.user, known.gid, known.group],
    [ID, UID, 'worker', UID, 'crew'],
  )
  // What was delivered has not changed.
  const first = execOf(events, '44.01')
  assert.deepEqual([first?.euid, first?.containerUser], [UID, undefined])
  sleepIn(t, cgroup, root, '44.02')
  await takeUntil(quark, events, () => execOf(events, '44.02') !== undefined)
  const second = execOf(events, '44.02')
  assert.deepEqual([second?.containerUser, second?.containerGroup], ['worker', 'crew'])
  // The name of the machine is another one, or none.
  assert.notEqual(quark.userName(UID), 'worker')
})

test('nothing outside of the root is read, and a FIFO holds nobody up', OF_BUSYBOX, async (t) => {
  const cgroup = containerCgroup(t)
  const other = containerCgroup(t, OTHER_ID)
  const hostile = rootOf(t)
  const root = rootOf(t)
  for (const name of ['passwd', 'group']) rmSync(join(hostile, 'etc', name))
  symlinkSync('/etc/passwd', join(hostile, 'etc/group'))
  spawnSync('mkfifo', [join(hostile, 'etc/passwd')])
  // Links out of the root, to a file that has names for these ids.
  writeFileSync(join(hostile, '..', `${hostile.split('/').at(-1)}.txt`), `leak:x:${UID}:\n`)
  t.after(() => rmSync(`${hostile}.txt`))
  symlinkSync(`${hostile}.txt`, join(hostile, 'etc/gshadow'))
  rmSync(join(hostile, 'etc/group'))
  symlinkSync(`../../${hostile.split('/').at(-1)}.txt`, join(hostile, 'etc/group'))
  await using quark = await Quark.open({ containerUsers: true, holdMs: 50 })
  const events: QuarkEvent[] = []
  sleepIn(t, cgroup, hostile, '44.03')
  await takeUntil(quark, events, () => execOf(events, '44.03') !== undefined)
  sleepIn(t, other, root, '44.04')
  const known = await takeUntil(quark, events, isUser)
  assert.ok(known?.kind === 'container')
  assert.deepEqual([known.container?.id, known.user], [OTHER_ID, 'worker'])
  assert.ok(
    !JSON.stringify(
      events.map((event) => event.toObject()),
      bigints,
    ).includes('leak'),
  )
})

test('a container whose files hang is said to, and holds no event up', OF_BUSYBOX, async (t) => {
  const cgroup = containerCgroup(t)
  let end = (): void => undefined
  const root = rootOf(t, () => end())
  const dead = join(root, 'etc')
  const server = mountDead(dead)
  if (typeof server === 'string') return t.skip(server)
  end = () => {
    // What waits for an answer gets an error when there is nobody who could give it.
    closeSync(server.fd)
    spawnSync('umount', ['-l', dead])
  }
  await using quark = await Quark.open({ containerUsers: true, holdMs: 50 })
  const events: QuarkEvent[] = []
  const begin = performance.now()
  sleepIn(t, cgroup, root, '44.05', 0)
  await takeUntil(quark, events, () => execOf(events, '44.05') !== undefined)
  assert.ok(performance.now() - begin < 5000, 'it waited')
  const problem = await takeUntil(quark, events, ({ kind }) => kind === 'containerProblem', 40_000)
  assert.ok(problem?.kind === 'containerProblem')
  assert.match(problem.problem, /for its users: its files do not answer in time$/)
})

const DROPPED = `
const { Quark, dropPrivileges } = await import(process.argv[1])
const quark = await Quark.open({ containerUsers: true, backends: ['ebpf'], holdMs: 50 })
dropPrivileges('nobody', process.argv[2])
console.log('ready')
const end = performance.now() + 60000
while (performance.now() < end) {
  for (const event of quark.poll()) {
    if (event.kind !== 'container' || event.uid !== 4242) continue
    console.log(event.user, event.group)
    process.exit(0)
  }
  await quark.wait(20)
}
process.exit(1)
`

test('after privileges are given up, users of containers have names as before', OF_BUSYBOX, async (t) => {
  const cgroup = containerCgroup(t)
  const empty = mkdtempSync(join(tmpdir(), 'quark-empty-'))
  t.after(() => rmSync(empty, { recursive: true }))
  const index = new URL('../../../index.js', import.meta.url).href
  const child = spawn(process.execPath, ['--input-type=module', '-e', DROPPED, index, empty], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  t.after(() => void child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  for (let i = 0; i < 600 && !output.includes('ready'); i++) await sleep(50)
  sleepIn(t, cgroup, rootOf(t), '44.06')
  await exited
  assert.match(output, /^worker crew$/m)
})

test('a recording has the names, and a replay reads no file', OF_BUSYBOX, async (t) => {
  const cgroup = containerCgroup(t)
  const folder = mkdtempSync(join(tmpdir(), 'quark-users-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const record = join(folder, 'recording')
  {
    const root = rootOf(t)
    const ending = new AbortController()
    await using quark = await Quark.open({
      containerUsers: true,
      holdMs: 50,
      record,
      signal: ending.signal,
    })
    sleepIn(t, cgroup, root, '44.07')
    await takeUntil(quark, [], isUser)
    sleepIn(t, cgroup, root, '44.08')
    const events: QuarkEvent[] = []
    await takeUntil(quark, events, () => execOf(events, '44.08') !== undefined)
    ending.abort()
    for await (const event of quark) events.push(event)
  }
  await using replay = await Quark.replay(record)
  const events: QuarkEvent[] = []
  for await (const event of replay) events.push(event)
  assert.ok(events.some(isUser))
  assert.deepEqual(
    [execOf(events, '44.07')?.containerUser, execOf(events, '44.08')?.containerUser],
    [undefined, 'worker'],
  )
})

function bigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
