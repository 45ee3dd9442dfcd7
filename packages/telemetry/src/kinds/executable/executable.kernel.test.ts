import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Executable } from '../../process/executable.js'
import { Quark } from '../../quark.js'
import type { QuarkEvent, QuarkOptions } from '../index.js'

const SLOW = Number(process.env['TEST_SLOW'] ?? 1)
const LIMIT = { timeout: 120_000 * SLOW }

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'quark-executables-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

/** A file of its own that does what sleep(1) does: where that is busybox, it goes by its name. */
function sleeperIn(folder: string): string {
  copyFileSync('/bin/sleep', join(folder, 'sleep'))
  return join(folder, 'sleep')
}

function digestOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

async function openQuark(options: QuarkOptions = {}): Promise<Quark> {
  return Quark.open({
    executables: true,
    backends: ['ebpf'],
    holdMs: 300,
    where: { treeOf: [process.pid] },
    ...options,
  })
}

/** Files of execs by the last argument, and what followed; until all of these have an answer, or the time is over. */
async function executablesOf(
  quark: Quark,
  names: readonly string[],
  limitMs = 50_000 * SLOW,
  isEnough: (name: string, file: Executable) => boolean = () => true,
): Promise<
  Map<string, { exec: Executable | undefined; later: Executable | undefined; events: QuarkEvent[] }>
> {
  const found = new Map<
    string,
    { exec: Executable | undefined; later: Executable | undefined; events: QuarkEvent[] }
  >()
  const nameOf = new Map<number, string>()
  const end = performance.now() + limitMs
  const isDone = (name: string): boolean => {
    const { exec, later } = found.get(name) ?? {}
    const file = later ?? exec
    return file !== undefined && (file.sha256 ?? file.unread) !== undefined && isEnough(name, file)
  }
  while (performance.now() < end && !names.every(isDone)) {
    for (const event of quark.poll()) {
      if (event.kind === 'process' && event.actions.includes('exec')) {
        const name = event.process.argv?.at(-1) ?? ''
        if (!names.includes(name)) continue
        nameOf.set(event.process.pid, name)
        found.set(name, { exec: event.process.executable, later: undefined, events: [event] })
      } else if (event.kind === 'executable') {
        const of = found.get(nameOf.get(event.pid) ?? '')
        // The same process may have executed something else before.
        if (of?.exec?.inode !== event.executable.inode) continue
        of.later = event.executable
        of.events.push(event)
      }
    }
    await quark.wait(20)
  }
  return found
}

test(
  'a file that is executed has its sha256 and size: in the event, or in one that follows',
  LIMIT,
  async (t) => {
    const folder = folderOf(t)
    const program = join(folder, 'program')
    copyFileSync('/bin/true', program)
    await using quark = await openQuark()
    spawnSync(program, ['first'])
    const found = await executablesOf(quark, ['first'])
    const { exec, later } = found.get('first') ?? {}
    assert.ok(exec !== undefined)
    const { ino, size } = statSync(program)
    assert.deepEqual([exec.inode, exec.sizeBytes], [BigInt(ino), size])
    assert.deepEqual([exec.memfd, exec.deleted, exec.replaced, exec.script], [false, false, false, undefined])
    assert.equal((later ?? exec).sha256, digestOf(program))
    // From then on it is known at once.
    spawnSync(program, ['second'])
    const again = (await executablesOf(quark, ['second'])).get('second')
    assert.equal(again?.exec?.sha256, digestOf(program))
    assert.equal(again.later, undefined)
  },
)

test(
  'an event does not wait for a slow reader: the sha256 follows, and what was delivered stays as it was',
  LIMIT,
  async (t) => {
    const folder = folderOf(t)
    const large = sleeperIn(folder)
    // Some seconds at the slowest rate; what follows the program in its file is none of it.
    spawnSync('truncate', ['-s', '5M', large])
    await using quark = await openQuark({ holdMs: 0, hashBytesPerSecond: 2 ** 20, maxHashBytes: 6 * 2 ** 20 })
    const begin = performance.now()
    const child = spawn(large, ['88'], { stdio: 'ignore' })
    t.after(() => void child.kill('SIGKILL'))
    const { exec, later, events } = (await executablesOf(quark, ['88'])).get('88') ?? {}
    const tookMs = performance.now() - begin
    assert.ok(tookMs > 2000, `5 MiB at 1 MiB a second in ${tookMs} ms`)
    assert.equal(exec?.sha256, undefined)
    assert.equal(later?.sha256, digestOf(large))
    const [first, second] = events ?? []
    assert.ok(first?.kind === 'process' && second?.kind === 'executable')
    assert.equal(first.process.executable?.sha256, undefined)
    // Its later events have it.
    assert.equal(second.process?.executable?.sha256, digestOf(large))
    child.kill('SIGKILL')
    const end = performance.now() + 10_000
    let exit: QuarkEvent | undefined
    while (exit === undefined && performance.now() < end) {
      exit = quark
        .poll()
        .find(
          (event) =>
            event.kind === 'process' && event.process.pid === child.pid && event.actions.includes('exit'),
        )
      await quark.wait(20)
    }
    assert.ok(exit?.kind === 'process')
    assert.equal(exit.process.executable?.sha256, digestOf(large))
  },
)

const HOSTILE = String.raw`
mkdir removed; cp /bin/sleep removed/; ./removed/sleep 33.01 & sleep 0.02; rm removed/sleep
printf '#!/bin/sh\nexit 0\n' > script; chmod +x script; ./script relative
"$PWD/script" absolute
mkdir huge; cp /bin/sleep huge/; truncate -s 10G huge/sleep; ./huge/sleep 33.03 &
chroot jail /busybox sleep 33.04 &
wait
`

test('files that are deleted, replaced, of 10 GB, in another root, and scripts', LIMIT, async (t) => {
  const folder = folderOf(t)
  const jail = join(folder, 'jail')
  mkdirSync(jail)
  const busybox = '/bin/busybox'
  const hasBusybox = existsSync(busybox)
  if (hasBusybox) copyFileSync(busybox, join(jail, 'busybox'))
  // One that needs libraries finds none there.
  const isJailed = hasBusybox && spawnSync('chroot', [jail, '/busybox', 'true']).status === 0
  if (!isJailed) t.diagnostic('no busybox without libraries: another root is not tested')
  await using quark = await openQuark()
  const child = spawn('/bin/sh', ['-c', HOSTILE], { cwd: folder, stdio: 'ignore', detached: true })
  const replacedBy = sleeperIn(folder)
  const fd = openSync(replacedBy, 'r')
  rmSync(replacedBy)
  copyFileSync('/bin/true', replacedBy)
  const ofReplaced = spawn('/proc/self/fd/3', ['33.02'], {
    argv0: 'sleep',
    stdio: ['ignore', 'ignore', 'ignore', fd],
  })
  closeSync(fd)
  t.after(() => void ofReplaced.kill('SIGKILL'))
  const names = ['33.01', '33.02', '33.03', 'relative', 'absolute']
  const found = await executablesOf(quark, isJailed ? [...names, '33.04'] : names)
  process.kill(-(child.pid as number), 'SIGKILL')
  const fileOf = (name: string): Executable | undefined => {
    const { exec, later } = found.get(name) ?? {}
    return later ?? exec
  }
  const sleepDigest = digestOf('/bin/sleep')
  assert.equal(fileOf('33.01')?.sha256, sleepDigest)
  const replaced = fileOf('33.02')
  assert.deepEqual([replaced?.sha256, replaced?.deleted, replaced?.replaced], [sleepDigest, true, true])
  assert.deepEqual(
    [fileOf('33.03')?.sizeBytes, fileOf('33.03')?.sha256, fileOf('33.03')?.unread],
    [10 * 2 ** 30, undefined, 'tooLarge'],
  )
  const shell = digestOf('/bin/sh')
  assert.deepEqual([fileOf('relative')?.script, fileOf('relative')?.sha256], ['./script', shell])
  assert.deepEqual([fileOf('absolute')?.script, fileOf('absolute')?.sha256], [join(folder, 'script'), shell])
  if (isJailed) assert.equal(fileOf('33.04')?.sha256, digestOf(busybox))
})

test(
  'a file of overlayfs is read, of either layer, although its numbers are others there',
  LIMIT,
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'quark-overlay-'))
    t.after(() => {
      spawnSync('sh', ['-c', 'umount "$0/merged"; umount "$0"', folder])
      rmSync(folder, { recursive: true })
    })
    // Its layers cannot be on each file system.
    const script = `mount -t tmpfs none "$0" && cd "$0" && mkdir lower upper work merged && cp /bin/sleep lower/below &&
    mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged`
    const { status, stderr } = spawnSync('sh', ['-c', script, folder], { encoding: 'utf8' })
    if (status !== 0) return t.skip(`overlayfs cannot be mounted here: ${stderr}`)
    const merged = join(folder, 'merged')
    copyFileSync('/bin/sleep', join(merged, 'above'))
    await using quark = await openQuark()
    const names = ['99.01', '99.02']
    const children = ['below', 'above'].map((name, i) =>
      spawn(join(merged, name), [names[i] as string], { stdio: 'ignore' }),
    )
    t.after(() => children.forEach((child) => child.kill('SIGKILL')))
    const found = await executablesOf(quark, names)
    for (const child of children) child.kill('SIGKILL')
    for (const name of names) {
      const { exec, later } = found.get(name) ?? {}
      assert.equal((later ?? exec)?.sha256, digestOf('/bin/sleep'), name)
    }
  },
)

const MEMFD = `
import os, sys
fd = os.memfd_create('hidden')
os.write(fd, open('/bin/sleep', 'rb').read())
os.execve(fd, ['sleep', '22.05'], {})
`

test(
  'a file that is only memory is read like others',
  { ...LIMIT, skip: spawnSync('python3', ['-c', '']).status === 0 ? false : 'no python3' },
  async () => {
    await using quark = await openQuark()
    const child = spawn('python3', ['-c', MEMFD], { stdio: 'ignore' })
    const { exec, later } = (await executablesOf(quark, ['22.05'])).get('22.05') ?? {}
    child.kill()
    assert.deepEqual([exec?.memfd, exec?.deleted], [true, false])
    assert.equal((later ?? exec)?.sha256, digestOf('/bin/sleep'))
  },
)

test('packages have the files of distributions, and scripts in node_modules', LIMIT, async (t) => {
  const folder = folderOf(t)
  const home = join(folder, 'node_modules', '@scope', 'tool')
  mkdirSync(join(folder, 'node_modules', '.bin'), { recursive: true })
  mkdirSync(join(home, 'bin'), { recursive: true })
  writeFileSync(join(home, 'package.json'), '{"name":"@scope/tool","version":"1.2.3"}')
  writeFileSync(join(home, 'bin', 'tool.sh'), '#!/bin/sh\nexit 0\n', { mode: 0o755 })
  const command = join(folder, 'node_modules', '.bin', 'tool')
  spawnSync('ln', ['-s', '../@scope/tool/bin/tool.sh', command])
  await using quark = await openQuark({ packages: true })
  const child = spawn('/bin/sh', ['-c', `/bin/sleep 55.06 & "${command}" npm; wait`], {
    stdio: 'ignore',
    detached: true,
  })
  const found = await executablesOf(
    quark,
    ['55.06', 'npm'],
    50_000,
    (name, file) => name !== 'npm' || file.scriptPackage !== undefined,
  )
  process.kill(-(child.pid as number), 'SIGKILL')
  const tool = found.get('npm')
  const scriptPackage = (tool?.later ?? tool?.exec)?.scriptPackage
  assert.deepEqual(scriptPackage, {
    type: 'npm',
    name: '@scope/tool',
    version: '1.2.3',
    architecture: undefined,
  })
  const owner = spawnSync('dpkg-query', ['-S', '/bin/sleep'], { encoding: 'utf8' })
  if (owner.status !== 0) return t.diagnostic('no dpkg: its packages are not tested')
  const slept = found.get('55.06')
  const ofSleep = (slept?.later ?? slept?.exec)?.package
  const version = spawnSync('dpkg-query', ['-W', '-f', '${Version} ${Architecture}', 'coreutils'], {
    encoding: 'utf8',
  })
  assert.equal(ofSleep?.type, 'deb')
  assert.equal(ofSleep.name, owner.stdout.split(':')[0])
  if (ofSleep.name === 'coreutils') assert.equal(`${ofSleep.version} ${ofSleep.architecture}`, version.stdout)
})

const DROPPED = `
const { Quark, dropPrivileges } = await import(process.argv[1])
const { spawnSync } = await import('node:child_process')
const quark = await Quark.open({ executables: true, packages: true, backends: ['ebpf'], holdMs: 300 })
dropPrivileges('nobody', process.argv[2])
console.log('ready')
const end = performance.now() + 50000
const pids = new Set()
while (performance.now() < end) {
  for (const event of quark.poll()) {
    const isOurs = event.kind === 'process' && event.process.argv?.at(-1) === '66.07'
    if (isOurs) pids.add(event.process.pid)
    const file = event.kind === 'executable' && pids.has(event.pid) ? event.executable : isOurs ? event.process.executable : undefined
    if (file?.sha256 !== undefined) {
      console.log(file.sha256, file.package?.name)
      process.exit(0)
    }
  }
  await quark.wait(20)
}
process.exit(1)
`

test('after privileges are given up, files are read as before', LIMIT, async (t) => {
  const empty = folderOf(t)
  const index = new URL('../../index.js', import.meta.url).href
  const child = spawn(process.execPath, ['--input-type=module', '-e', DROPPED, index, empty], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  t.after(() => void child.kill('SIGKILL'))
  const exited = new Promise<number | null>((resolve) => void child.once('exit', resolve))
  for (let i = 0; i < 600 && !output.includes('ready'); i++) await sleep(50)
  const program = join(folderOf(t), 'own')
  copyFileSync('/bin/sleep', program)
  const sleeper = spawn(program, ['66.07'], { stdio: 'ignore' })
  t.after(() => void sleeper.kill('SIGKILL'))
  assert.equal(await exited, 0, output)
  assert.match(output, new RegExp(`^${digestOf(program)} undefined$`, 'm'))
})

/** What is known of the file of a process that is older than the queue, once it is known. */
async function fileOfOlder(quark: Quark, pid: number): Promise<Executable | undefined> {
  const end = performance.now() + 30_000
  let found: Executable | undefined
  while (found?.sha256 === undefined && performance.now() < end) {
    for (const event of quark.poll()) {
      if (event.process?.pid === pid) found = event.process.executable ?? found
    }
    await quark.wait(20)
    found = [...quark.processes()].find((one) => one.pid === pid)?.executable ?? found
  }
  return found
}

for (const snapshot of [true, false]) {
  const whose = snapshot ? 'that is reported' : 'that is not reported'
  test(`a process ${whose} as it was there before has its file as after an exec`, LIMIT, async (t) => {
    const folder = folderOf(t)
    const program = sleeperIn(folder)
    const child = spawn(program, ['77.08'], { stdio: 'ignore' })
    t.after(() => void child.kill('SIGKILL'))
    await sleep(100)
    await using quark = await openQuark({ snapshot })
    const file = await fileOfOlder(quark, child.pid as number)
    const { ino, size } = statSync(program)
    assert.deepEqual(
      [file?.inode, file?.sizeBytes, file?.sha256, file?.deleted],
      [BigInt(ino), size, digestOf(program), false],
    )
    // The next exec of the file is known to be of the same one: it is not read again.
    spawnSync(program, ['0.01'])
    const again = (await executablesOf(quark, ['0.01'])).get('0.01')
    assert.deepEqual([again?.exec?.sha256, again?.later], [digestOf(program), undefined])
    assert.equal(again?.exec?.generation, file?.generation)
  })
}

test('a recording has what was known, and a replay reads no file', LIMIT, async (t) => {
  const folder = folderOf(t)
  const program = join(folder, 'recorded')
  copyFileSync('/bin/true', program)
  const record = join(folder, 'recording')
  const digest = digestOf(program)
  {
    await using quark = await openQuark({ record })
    spawnSync(program, ['taped'])
    await executablesOf(quark, ['taped'])
    spawnSync(program, ['taped-again'])
    await executablesOf(quark, ['taped-again'])
  }
  rmSync(program)
  await using replay = await Quark.replay(record)
  const found = await executablesOf(replay as unknown as Quark, ['taped', 'taped-again'], 5000)
  for (const name of ['taped', 'taped-again']) {
    const { exec, later } = found.get(name) ?? {}
    assert.equal((later ?? exec)?.sha256, digest, name)
  }
})
