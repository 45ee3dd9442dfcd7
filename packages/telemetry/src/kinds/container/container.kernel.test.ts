import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { QuarkEvent } from '../index.js'
import { Quark } from '../../quark.js'
import { containerCgroup, runIn, takeUntil } from './testing/cgroups.js'
import { fakeDocker, ID, serve, socketPath } from './testing/fakes.js'

const LIMIT = { timeout: 120_000 }

const isExit = (word: string) => (event: QuarkEvent) =>
  event.kind === 'process' && event.actions.includes('exit') && event.process.argv?.[1] === word

test(
  'a runtime that answers after 5 s delays no event; its answer follows, and later events have it',
  LIMIT,
  async (t) => {
    const path = socketPath(t, 'docker.sock')
    await serve(t, path, fakeDocker(5000))
    const cgroup = containerCgroup(t)
    const latencyOf = async (
      options: object,
      word: string,
    ): Promise<{ ms: number; quark: Quark; first: QuarkEvent }> => {
      const quark = await Quark.open({ holdMs: 100, ...options })
      const events: QuarkEvent[] = []
      const begin = performance.now()
      runIn(cgroup, word)
      const first = await takeUntil(quark, events, isExit(word))
      assert.ok(first !== undefined)
      return { ms: performance.now() - begin, quark, first }
    }
    const without = await latencyOf({}, 'without')
    await without.quark.close()
    const { ms, quark, first } = await latencyOf({ containers: true, containerSocket: path }, 'with')
    assert.ok(ms < without.ms + 1000, `${ms} ms with a slow runtime, ${without.ms} ms without`)
    assert.equal(first.kind === 'process' && first.process.container?.id, ID)
    assert.equal(first.kind === 'process' && first.process.container?.name, undefined)
    const events: QuarkEvent[] = []
    const known = await takeUntil(quark, events, ({ kind }) => kind === 'container')
    assert.ok(known?.kind === 'container')
    assert.equal(known.container?.name, 'web')
    assert.equal(known.container?.imageTag, '1.2')
    // What was delivered has not changed.
    assert.equal(first.kind === 'process' && first.process.container?.name, undefined)
    runIn(cgroup, 'later')
    const later = await takeUntil(quark, events, isExit('later'))
    assert.ok(later?.kind === 'process')
    assert.equal(later.process.container?.name, 'web')
    assert.equal(later.process.container?.image, 'registry:5000/team/web')
    await quark.close()
  },
)

test('without a socket the option is refused with the reason', LIMIT, async () => {
  await assert.rejects(
    Quark.open({ containers: true, containerSocket: '/nowhere/docker.sock' }),
    /cannot be met .*\/nowhere\/docker\.sock does not exist/,
  )
})

/** Why a program cannot be used here; undefined if it can. */
function missing(...programs: string[]): string | undefined {
  const absent = programs.filter((program) => spawnSync('which', [program]).status !== 0)
  return absent.length === 0 ? undefined : `not installed: ${absent.join(', ')}`
}

const busybox = spawnSync('which', ['busybox']).stdout.toString().trim()

const dockerSkip = missing('dockerd', 'docker', 'busybox') ?? false

test(
  'a real container of Docker has its id, name, image and entry leader',
  { ...LIMIT, skip: dockerSkip },
  async (t) => {
    const root = mkdtempSync(join(tmpdir(), 'quark-docker-'))
    const socket = join(root, 'docker.sock')
    const daemon = spawn(
      'dockerd',
      [
        ...`--bridge=none --iptables=false --exec-opt native.cgroupdriver=cgroupfs -H unix://${socket}`.split(
          ' ',
        ),
        ...`--data-root ${root}/data --exec-root ${root}/exec --pidfile ${root}/pid`.split(' '),
      ],
      { stdio: 'ignore' },
    )
    t.after(async () => {
      daemon.kill()
      await new Promise((resolve) => void daemon.once('exit', resolve))
      spawnSync('umount', [join(root, 'data')])
      rmSync(root, { recursive: true, force: true, maxRetries: 5 })
    })
    const docker = (...args: string[]) =>
      spawnSync('docker', ['-H', `unix://${socket}`, ...args], { encoding: 'utf8' })
    let isUp = false
    for (let i = 0; i < 200 && !isUp; i++) {
      isUp = docker('info').status === 0
      if (!isUp) await sleep(100)
    }
    if (!isUp) return t.skip('dockerd does not start here')
    spawnSync('/bin/sh', [
      '-c',
      `tar -C / -c ${busybox.slice(1)} | docker -H unix://${socket} import - test/box:1`,
    ])
    await using quark = await Quark.open({ holdMs: 100, containers: true, containerSocket: socket })
    // Beside this thread, which has to ask while the container runs.
    const run = '-H unix://SOCKET run --rm --network none --name quark-box --label tier=front test/box:1'
    const child = spawn('docker', [...run.replace('SOCKET', socket).split(' '), busybox, 'sleep', '3'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let failure = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (failure += text))
    const events: QuarkEvent[] = []
    await takeUntil(quark, events, isExitOfSleep)
    if (child.exitCode !== null && child.exitCode !== 0)
      return t.skip(`docker run fails here: ${failure.slice(0, 200)}`)
    const inside = events.find(
      (event) =>
        event.kind === 'process' && event.actions.includes('exec') && event.process.argv?.[1] === 'sleep',
    )
    assert.ok(inside?.kind === 'process', 'the first process of the container is missing')
    const { process } = inside
    assert.equal(process.container?.runtime, 'docker')
    assert.match(process.container?.id ?? '', /^[0-9a-f]{64}$/)
    assert.deepEqual([process.entry?.type, process.entry?.pid], ['container', process.pid])
    const known = events.find(({ kind }) => kind === 'container')
    assert.ok(known?.kind === 'container')
    assert.deepEqual(
      [known.container?.name, known.container?.image, known.container?.imageTag, known.container?.labels],
      ['quark-box', 'test/box', '1', { tier: 'front' }],
    )
  },
)

function isExitOfSleep(event: QuarkEvent): boolean {
  return event.kind === 'process' && event.actions.includes('exit') && event.process.argv?.[1] === 'sleep'
}

const podmanSkip = missing('podman', 'runc', 'busybox') ?? false

test('a real container of Podman has its id and entry leader', { ...LIMIT, skip: podmanSkip }, async (t) => {
  const rootfs = join(socketPath(t, 'x'), '..', 'rootfs')
  mkdirSync(join(rootfs, 'bin'), { recursive: true })
  spawnSync('cp', [busybox, join(rootfs, 'bin/busybox')])
  await using quark = await Quark.open({ holdMs: 100 })
  const options =
    '--runtime runc --cgroup-manager cgroupfs run --rm --network none --ulimit nofile=10000:20000 --ulimit nproc=1000:1000'
  const ran = spawnSync('podman', [...options.split(' '), '--rootfs', rootfs, '/bin/busybox', 'sleep', '1'], {
    encoding: 'utf8',
  })
  if (ran.status !== 0) return t.skip(`podman run fails here: ${ran.stderr.slice(0, 200)}`)
  const events: QuarkEvent[] = []
  await takeUntil(quark, events, isExitOfSleep)
  const inside = events.find(
    (event) =>
      event.kind === 'process' && event.actions.includes('exec') && event.process.argv?.[1] === 'sleep',
  )
  assert.ok(inside?.kind === 'process')
  assert.deepEqual(
    [inside.process.container?.runtime, inside.process.entry?.type, inside.process.entry?.pid],
    ['podman', 'container', inside.process.pid],
  )
})

const sshSkip = missing('sshd', 'ssh', 'ssh-keygen') ?? false

test(
  'a login by ssh has its shell as entry leader, with the address',
  { ...LIMIT, skip: sshSkip },
  async (t) => {
    const folder = join(socketPath(t, 'x'), '..')
    const sh = (command: string) => spawnSync('/bin/sh', ['-c', command], { encoding: 'utf8', cwd: folder })
    sh(
      'chmod 700 .; ssh-keygen -q -t ed25519 -N "" -f host; ssh-keygen -q -t ed25519 -N "" -f user; mkdir -p /run/sshd',
    )
    sh('cp user.pub authorized; chmod 600 authorized')
    const port = 20_000 + (process.pid % 20_000)
    const options = `-D -p ${port} -h ${folder}/host -o UsePAM=no -o StrictModes=no -o AuthorizedKeysFile=${folder}/authorized -o PidFile=none -o ListenAddress=127.0.0.1`
    const sshd = spawnSync('which', ['sshd']).stdout.toString().trim()
    const server = spawn(sshd, options.split(' '), { stdio: 'ignore' })
    t.after(() => void server.kill())
    await sleep(500)
    await using quark = await Quark.open({ holdMs: 100 })
    const login = sh(
      `ssh -tt -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -i user -p ${port} root@127.0.0.1 'sleep 2; true quark-login' </dev/null`,
    )
    if (login.status !== 0) return t.skip(`ssh to this machine fails: ${login.stderr.slice(-200)}`)
    const events: QuarkEvent[] = []
    await takeUntil(quark, events, () => false, 3000)
    const entered = events.flatMap((event) =>
      event.kind === 'process' && event.process.entry?.type === 'sshd' ? [event.process] : [],
    )
    const leader = entered.find(({ pid, entry }) => entry?.pid === pid)
    assert.ok(leader !== undefined, 'nothing was entered by ssh')
    assert.equal(leader.sid, leader.pid)
    assert.ok(entered.some(({ argv, entry }) => argv?.[0] === 'sleep' && entry?.pid === leader.pid))
    // The server has told the login where it comes from, if its environment could still be read.
    assert.ok(leader.entry?.address === '127.0.0.1' || leader.entry?.address === undefined)
  },
)
