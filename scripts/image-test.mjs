// Builds the image of the Dockerfile, runs it with the flags that docs/running.md names, and without each of them. The
// image below it is made of this machine's Node.js, so that no registry of images is asked.
// Needs root, Docker, and busybox-static: it is not part of `npm test`.
//   node scripts/image-test.mjs
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { whyNot } from './needs.mjs'

const clone = fileURLToPath(new URL('..', import.meta.url))
const reason = whyNot([
  ['dockerd', 'docker.io'],
  ['busybox', 'busybox-static'],
])
if (reason !== undefined) {
  console.log(`- not run: the image of the Dockerfile (${reason})`)
  process.exit(0)
}

let failed = 0
function report(isGood, what, found) {
  console.log(isGood ? `✔ ${what}` : `✖ ${what}: ${String(found).trim().slice(-1500)}`)
  if (!isGood) failed += 1
}

const work = mkdtempSync(join(tmpdir(), 'quark-image-'))
const socket = join(work, 'docker.sock')
const daemonArgs = [
  ...`--bridge=none --iptables=false --exec-opt native.cgroupdriver=cgroupfs -H unix://${socket}`.split(' '),
  ...`--data-root ${work}/data --exec-root ${work}/exec --pidfile ${work}/pid`.split(' '),
]
const daemon = spawn('dockerd', daemonArgs, { stdio: 'ignore' })
const environment = { ...process.env, DOCKER_HOST: `unix://${socket}`, DOCKER_BUILDKIT: '0' }

function docker(...args) {
  const { status, stdout, stderr } = spawnSync('docker', args, {
    encoding: 'utf8',
    env: environment,
    cwd: clone,
    maxBuffer: 2 ** 28,
  })
  return { status, stdout, stderr, text: `${stdout}${stderr}` }
}

async function untilUp() {
  for (let i = 0; i < 300; i += 1) {
    if (docker('info').status === 0) return true
    await sleep(100)
  }
  return false
}

/** Node.js with npm and a shell, of this machine. */
function makeBase() {
  const root = join(work, 'base')
  const place = (file) => {
    mkdirSync(join(root, dirname(file)), { recursive: true })
    copyFileSync(file, join(root, file))
  }
  const node = process.execPath
  const prefix = dirname(dirname(node))
  place(node)
  const libraries = execFileSync('ldd', [node], { encoding: 'utf8' }).match(/\/\S+(?= \()/g)
  for (const library of libraries) place(library)
  cpSync(join(prefix, 'lib/node_modules/npm'), join(root, prefix, 'lib/node_modules/npm'), {
    recursive: true,
  })
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(root, prefix, 'bin/npm'))
  for (const file of [
    '/etc/ssl/certs/ca-certificates.crt',
    join(prefix, 'etc/npmrc'),
    '/etc/passwd',
    '/etc/group',
  ])
    if (existsSync(file)) place(file)
  mkdirSync(join(root, 'bin'), { recursive: true })
  mkdirSync(join(root, 'root'))
  mkdirSync(join(root, 'tmp'), { mode: 0o1777 })
  copyFileSync(execFileSync('which', ['busybox'], { encoding: 'utf8' }).trim(), join(root, 'bin/busybox'))
  for (const name of ['sh', 'rm', 'true', 'cat']) symlinkSync('busybox', join(root, 'bin', name))
  mkdirSync(join(root, 'usr/bin'), { recursive: true })
  symlinkSync('/bin/busybox', join(root, 'usr/bin/env'))
  const command = `tar -C '${root}' -c . | docker import - quark-test/node:1`
  execFileSync('sh', ['-c', command], { env: environment, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** For a Docker that does not know the rights of their own. */
const RIGHTS = [
  ...['SYS_ADMIN', 'NET_ADMIN', 'SYS_PTRACE'].map((right) => `--cap-add=${right}`),
  '--security-opt=seccomp=unconfined',
  '--security-opt=apparmor=unconfined',
]

/** Runs the image for some seconds, in which a program of this machine runs. */
async function watch(flags, name) {
  const args = ['run', '--rm', '--network=none', ...flags, 'quark-mon', '--json', '--duration=5']
  const child = spawn('docker', args, { env: environment })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
  const ended = new Promise((resolve) => void child.once('close', resolve))
  for (let i = 0; i < 100 && !stdout.includes('\n') && child.exitCode === null; i += 1) await sleep(100)
  for (let i = 0; i < 5; i += 1) {
    spawnSync('/bin/true', [name])
    await sleep(300)
  }
  const status = await ended
  const lines = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
  return { status, lines, first: lines[0], text: `${stdout.slice(0, 600)}\n${stderr}`, stderr }
}

const saw = ({ lines }, name) => lines.some((line) => JSON.stringify(line.process?.argv ?? []).includes(name))

/** The cgroups of the programs that were run to be seen. */
const placesOf = ({ lines }) => [
  ...new Set(
    lines.flatMap(({ process: { argv, cgroup } = {} }) => (argv?.[1]?.startsWith('image-') ? [cgroup] : [])),
  ),
]

async function main() {
  if (!(await untilUp())) {
    console.log('- not run: the image of the Dockerfile (dockerd does not start here)')
    return
  }
  execFileSync(process.execPath, ['scripts/pack.mjs'], { cwd: clone, stdio: 'ignore' })
  makeBase()
  const build = [
    'build',
    '--network=host',
    '--build-arg',
    'NODE=quark-test/node:1',
    '--tag',
    'quark-mon',
    '.',
  ]
  const built = docker(...build)
  report(built.status === 0, 'docker build', built.text)
  if (built.status !== 0) return

  const privileged = docker('run', '--rm', '--network=none', '--privileged', 'quark-mon', '--version')
  const all = privileged.status === 0 ? ['--privileged'] : RIGHTS
  if (all === RIGHTS)
    console.log(
      `- skipped: --privileged (this machine does not give all rights: ${privileged.stderr.split('\n')[0]})`,
    )

  const whole = await watch([...all, '--pid=host', '--cgroupns=host'], 'image-whole')
  const isWhole = whole.status === 0 && saw(whole, 'image-whole')
  report(isWhole, `${all.join(' ')} --pid=host --cgroupns=host: sees what this machine runs`, whole.text)
  const own = whole.lines.some(({ process: known }) => known?.pid === process.pid)
  report(own, 'and what ran before', whole.text)

  if (all !== RIGHTS) {
    const rights = await watch([...RIGHTS, '--pid=host', '--cgroupns=host'], 'image-rights')
    report(rights.status === 0 && saw(rights, 'image-rights'), 'rights in place of --privileged', rights.text)
  }

  const ownPids = await watch([...all, '--cgroupns=host'], 'image-pids')
  const isSaid = /pid namespace/i.test(ownPids.text)
  report(
    saw(ownPids, 'image-pids') && isSaid,
    'without --pid=host: sees, and says what is not known',
    ownPids.text,
  )

  const ownCgroups = await watch([...all, '--pid=host', '--cgroupns=private'], 'image-cgroups')
  const places = [whole, ownCgroups].map((run) => placesOf(run).join())
  report(
    places[0] !== '' && places[0] === places[1],
    'without --cgroupns=host: sees, with the same paths of cgroups',
    places.join(' and '),
  )

  const none = docker('run', '--rm', '--network=none', 'quark-mon', '--json', '--duration=2')
  report(
    none.status !== 0 && /CAP_|privileged/.test(none.stderr),
    'without rights: an error that names them',
    none.text,
  )
  const doctor = docker('run', '--rm', '--network=none', 'quark-mon', 'doctor')
  report(/CAP_/.test(doctor.stdout), 'without rights: doctor names them', doctor.text)

  docker('run', '--detach', '--name=stopped', '--network=none', ...all, '--pid=host', 'quark-mon', '--json')
  await sleep(3000)
  const beganMs = performance.now()
  docker('stop', '--time=10', 'stopped')
  const tookMs = performance.now() - beganMs
  const code = docker('inspect', '--format={{.State.ExitCode}}', 'stopped').stdout.trim()
  const last = docker('logs', 'stopped').stdout.trim().split('\n').at(-1)
  report(
    code === '0' && tookMs < 5000 && /"lost"/.test(last),
    'docker stop ends it in good order',
    `${code} ${tookMs} ${last}`,
  )
}

try {
  await main()
} finally {
  const isEnded = new Promise((resolve) => void daemon.once('exit', resolve))
  if (daemon.exitCode === null) {
    daemon.kill()
    await isEnded
  }
  for (const place of ['exec/netns/default', 'data'])
    spawnSync('umount', [join(work, place)], { stdio: 'ignore' })
  rmSync(work, { recursive: true, force: true, maxRetries: 5 })
}
if (failed > 0) process.exitCode = 1
