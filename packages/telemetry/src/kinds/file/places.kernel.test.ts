/** Mounts, namespaces, lies and lost rights. */

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { kernelAtLeast } from 'quark-ebpf'
import { deviceText, numberOfDev } from '../../files/mounts.js'
import { Quark } from '../../quark.js'
import type { FileEvent } from './events.js'
import { openWith } from './testing/rungs.js'
import { hasPython } from './testing/situations.js'
import { isFile } from './testing/watch.js'
import { runWatched, type Watched } from './testing/watched.js'

const LIMIT = { timeout: 60_000 * Number(process.env['TEST_SLOW'] ?? 1) }
/** That come and go. */
const MOUNTS = 15

function directory(t: TestContext): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'quark-places-')))
  t.after(() => {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
    const places = mounts.map((line) => line.split(' ')[4] ?? '').filter((place) => place.startsWith(root))
    for (const place of places.toReversed()) spawnSync('umount', ['-l', place], { stdio: 'ignore' })
    rmSync(root, { recursive: true, force: true })
  })
  mkdirSync(join(root, 'm'))
  return root
}

function told(events: readonly FileEvent[], root: string): string[] {
  return events.map(({ actions, path, unverified }) =>
    [actions.join('+'), path?.replace(`${root}/`, ''), unverified ? 'unverified' : ''].join(' ').trim(),
  )
}

/** Whether names are known by functions of the kernel. */
function hasFunctions({ attached }: Watched['quark']['capabilities']): boolean {
  return attached.some(({ fact, hook }) => fact === 'fileNames' && hook.endsWith('/vfs_unlink'))
}

/** The same; names that calls give are marked where nothing confirms them. */
function toldSurely({ events, quark }: Watched, root: string): string[] {
  const { attached } = quark.capabilities
  const isSure = hasFunctions(quark.capabilities) || attached.some(({ fact }) => fact === 'fileNotices')
  return told(events, root).map((line) => (isSure ? line : line.replace(' unverified', '')))
}

function canMount(type: string, t: TestContext): boolean {
  const place = join(directory(t), 'm')
  const options = type === 'overlay' ? ['-o', `lowerdir=${place},upperdir=${place},workdir=${place}`] : []
  const { status, stderr } = spawnSync('mount', ['-t', type, ...options, 'x', place], { encoding: 'utf8' })
  spawnSync('umount', [place], { stdio: 'ignore' })
  return status === 0 || !/unknown filesystem|not permitted|denied/i.test(stderr)
}

test('a file system that is mounted later is watched, and can be unmounted at once', LIMIT, async (t) => {
  if (!canMount('tmpfs', t)) return t.skip('tmpfs cannot be mounted here')
  const root = directory(t)
  const command = `
    cd ${root}; mount -t tmpfs none m; : > wake; sleep 1.5; : > wake2; sleep 0.5
    echo x > m/f; mkdir m/d; mv m/f m/d/g; rm m/d/g; sleep 0.5; umount m; rm wake wake2`
  assert.deepEqual(toldSurely(await runWatched(root, command), root), [
    'create wake',
    'create wake2',
    'create+modify+close m/f',
    'mkdir m/d',
    'move m/d/g',
    'remove m/d/g',
    'remove wake',
    'remove wake2',
  ])
})

test('a file system can be unmounted at any time, however busy it is', LIMIT, async (t) => {
  if (!canMount('tmpfs', t)) return t.skip('tmpfs cannot be mounted here')
  const root = directory(t)
  // A failing umount fails the command.
  const { events, quark } = await runWatched(
    root,
    `cd ${root}; for i in $(seq ${MOUNTS}); do
      mount -t tmpfs none m; : > wake
      for j in $(seq 60); do mkdir m/d$j; echo $i > m/d$j/f; rm m/d$j/f; done
      umount m
    done`,
  )
  const { lost } = quark.stats()
  // Where programs can be preempted the kernel may skip some, which is reported.
  if (!kernelAtLeast('6.19')) assert.equal(lost, 0)
  const created = events.filter(({ path }) => /\/m\/d\d+\/f$/.test(path ?? ''))
  for (const action of ['create', 'remove'] as const) {
    const count = created.filter(({ actions }) => actions.includes(action)).length
    assert.ok(
      count <= 60 * MOUNTS && count + lost >= 60 * MOUNTS,
      `${action}: ${count}, and ${lost} are lost`,
    )
  }
})

test('whoever mounts and unmounts is never kept from it', LIMIT, async (t) => {
  if (!canMount('tmpfs', t)) return t.skip('tmpfs cannot be mounted here')
  const root = directory(t)
  // What is mounted is looked at when it is: of many, one is unmounted right then. A failing umount fails the command.
  const { events } = await runWatched(
    root,
    `cd ${root}; for i in $(seq ${MOUNTS * 4}); do
      mount -t tmpfs none m; : > m/f; for j in $(seq $((i % 7 * 3))); do : > m/x$j; done; umount m
    done`,
  )
  assert.ok(events.length > 0)
})

/** What groups of fanotify of this process watch, by the kernel's word. */
function marks(pattern: RegExp): string[] {
  return readdirSync('/proc/self/fdinfo').flatMap((fd) => {
    try {
      const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')
      return [...text.matchAll(pattern)].map(([, found]) => found as string)
    } catch {
      // It was closed meanwhile.
      return []
    }
  })
}

test('only file systems on which something is asked for are watched', LIMIT, async (t) => {
  if (!kernelAtLeast('5.17')) return t.skip('fanotify has no names here')
  if (!canMount('tmpfs', t)) return t.skip('tmpfs cannot be mounted here')
  const root = directory(t)
  execFileSync('mount', ['-t', 'tmpfs', 'none', join(root, 'm')])
  const device = (path: string) => numberOfDev(statSync(path, { bigint: true }).dev).toString(16)
  const [outer, inner] = [device(root), device(join(root, 'm'))]
  for (const [files, watched] of [
    [[join(root, 'm')], [inner]],
    [[root], [inner, outer]],
  ] as const) {
    const quark = await openWith('notices', { files })
    assert.ok(typeof quark !== 'string', `${quark}`)
    const found = marks(/^fanotify sdev:(\w+)/gm)
    await quark.close()
    assert.deepEqual(found.toSorted(), [...watched].toSorted())
  }
})

test('what lies over another file system is told once, with its own device', LIMIT, async (t) => {
  if (!canMount('tmpfs', t)) return t.skip('tmpfs cannot be mounted here')
  const root = directory(t)
  const place = join(root, 'm')
  for (let i = 0; i < 2; i += 1) execFileSync('mount', ['-t', 'tmpfs', 'none', place])
  const device = deviceText(numberOfDev(statSync(place, { bigint: true }).dev))
  const watched = await runWatched('/', `cd ${place}; echo x > f; mkdir d; mv f d/g; rm d/g; rmdir d`)
  const { events } = watched
  assert.deepEqual(toldSurely(watched, place), [
    'create+modify+close f',
    'mkdir d',
    'move d/g',
    'remove d/g',
    'rmdir d',
  ])
  assert.deepEqual([...new Set(events.map((event) => event.device))], [device])
})

for (const [what, asked, work] of [
  ['a directory that is mounted below what is watched', 'in', 'in/m'],
  ['another mount of a directory that is watched', 'out', 'in/m'],
] as const) {
  test(what, LIMIT, async (t) => {
    const root = directory(t)
    for (const name of ['in', 'in/m', 'out']) mkdirSync(join(root, name))
    const { status, stderr } = spawnSync('mount', ['--bind', 'out', 'in/m'], { cwd: root, encoding: 'utf8' })
    if (status !== 0) return t.skip(`directories cannot be mounted here: ${stderr}`)
    const { events, quark } = await runWatched(
      join(root, asked),
      `cd ${root}/${work}; echo x > f; mv f g; chmod 600 g; rm g`,
    )
    const isReported = quark.capabilities.attached.some(({ fact }) => fact === 'fileNotices')
    const all = told(events, root).map((line) => line.replace(' unverified', ''))
    // Through the other mount it is fanotify alone that has the place that is asked for.
    const place = asked === 'in' || !isReported ? 'in/m' : 'out'
    const chmod = asked === 'in' || !isReported ? 'chmod' : 'attributes'
    const content = `create+modify+close ${place}/f`
    const names = [`${chmod} ${place}/g`, `move ${place}/g`, `remove ${place}/g`]
    // Names that calls give are compared as text.
    const isByText = asked === 'out' && !isReported && !hasFunctions(quark.capabilities)
    assert.deepEqual(all.toSorted(), (isByText ? [content] : [content, ...names]).toSorted())
  })
}

test('a file that is replaced, and then written to', LIMIT, async (t) => {
  const root = directory(t)
  writeFileSync(join(root, 'passwd'), 'x')
  const { events } = await runWatched(
    join(root, 'passwd'),
    `cd ${root}; echo y >> passwd; echo z > new; mv new passwd; echo y >> passwd; echo y >> other; rm passwd`,
  )
  assert.deepEqual(
    told(events, root).map((line) => line.replace(' unverified', '')),
    ['modify+close passwd', 'move passwd', 'modify+close passwd', 'remove passwd'],
  )
})

test('a symbolic link to a directory, and one that is not there yet', LIMIT, async (t) => {
  const root = directory(t)
  mkdirSync(join(root, 'real'))
  symlinkSync('real', join(root, 'link'))
  const inside = ['mkdir real/d', 'create real/d/g', 'remove real/d/g', 'rmdir real/d']
  const all = ['create real/f', 'remove real/f', ...inside]
  for (const [asked, expected] of [
    ['link', all],
    ['link/d', inside],
    ['link/*', all],
    ['link/g*', ['create real/d/g', 'remove real/d/g']],
  ] as const) {
    const { events, quark } = await runWatched(
      join(root, asked),
      `cd ${root}/link; : > f; rm f; mkdir d; : > d/g; rm d/g; rmdir d`,
    )
    assert.deepEqual(
      told(events, root).map((line) => line.replace(' unverified', '')),
      expected,
      asked,
    )
    const absent = quark.capabilities.missing.filter(({ fact }) => fact.endsWith('.absent'))
    assert.equal(absent.length > 0, asked === 'link/d', JSON.stringify(absent))
  }
})

test('the same name in a directory that is not watched is no event', LIMIT, async (t) => {
  const root = directory(t)
  const watched = await runWatched(
    join(root, 'in'),
    `cd ${root}; mkdir in out; for f in in/f out/f in/g out/g; do : > $f; done; rm out/f in/f; rm in/g out/g; mkdir out/d in/d`,
  )
  assert.deepEqual(toldSurely(watched, root), [
    'mkdir in',
    'create in/f',
    'create in/g',
    'remove in/f',
    'remove in/g',
    'mkdir in/d',
  ])
})

test('subvolumes of btrfs, whose device is not that of their files', LIMIT, async (t) => {
  const root = directory(t)
  const image = join(root, 'image')
  const place = join(root, 'm')
  const run = (...command: readonly string[]) => {
    const { status, stderr, error } = spawnSync(command[0] as string, command.slice(1), { encoding: 'utf8' })
    return status === 0 ? undefined : String(error ?? stderr)
  }
  const refusal =
    run('truncate', '-s', '128M', image) ??
    run('mkfs.btrfs', '-q', image) ??
    run('mount', '-o', 'loop', image, place) ??
    run('btrfs', 'subvolume', 'create', join(place, 'home'))
  if (refusal !== undefined) return t.skip(`there is no btrfs here: ${refusal}`)
  mkdirSync(join(place, 'home', 'in'))
  const asked = join(place, 'home', 'in')
  const { events } = await runWatched(asked, `cd ${place}/home; echo x > in/f; echo x > f; rm in/f f`)
  assert.deepEqual(
    told(events, asked).map((line) => line.replace(' unverified', '')),
    ['create+modify+close f', 'remove f'],
  )
  const quark = await Quark.open({ fileAccess: [asked], where: { treeOf: process.pid }, holdMs: 10 })
  writeFileSync(join(asked, 'secret'), 'x')
  spawnSync('cat', [join(asked, 'secret')])
  const all: { readonly kind: string }[] = []
  for (let i = 0; i < 20; i += 1) {
    all.push(...quark.poll())
    await sleep(10)
  }
  all.push(...quark.finish())
  await quark.close()
  assert.ok(all.some(({ kind }) => kind === 'fileAccess'))
})

test('what is moved from elsewhere into what is watched is seen from then on', LIMIT, async (t) => {
  const root = directory(t)
  for (const name of ['in', 'out']) mkdirSync(join(root, name))
  const { events, quark } = await runWatched(
    join(root, 'in'),
    `cd ${root}; mkdir -p out/d/e; for i in 1 2 3; do : > out/d/e/f$i; sleep 0.1; done
    mv out/d in/d; : > in/d/e/g; rm in/d/e/g in/d/e/f1; mv in/d out/d; rm out/d/e/f2`,
  )
  const isVerified = quark.capabilities.attached.some(({ fact }) => fact === 'fileNotices')
  assert.deepEqual(
    told(events, root).map((line) => (isVerified ? line : line.replace(' unverified', ''))),
    ['move in/d', 'create in/d/e/g', 'remove in/d/e/g', 'remove in/d/e/f1', 'move out/d'],
  )
})

test(
  'what is written elsewhere makes no events, until it is moved into what is watched',
  LIMIT,
  async (t) => {
    const root = directory(t)
    mkdirSync(join(root, 'in'))
    mkdirSync(join(root, 'out', 'd', 'e'), { recursive: true })
    const quark = await openWith('notices', { files: [join(root, 'in')], holdMs: 10 })
    if (typeof quark === 'string') {
      assert.ok(!kernelAtLeast('5.17'), quark)
      return t.skip(quark)
    }
    const seen: string[] = []
    const sh = async (command: string): Promise<void> => {
      execFileSync('sh', ['-ec', `cd ${root}; ${command}`])
      for (let i = 0; i < 20; i += 1) {
        seen.push(...told(quark.poll().filter(isFile), root))
        await sleep(10)
      }
    }
    const inode = statSync(join(root, 'out', 'd', 'e')).ino.toString(16)
    const ignored = () => marks(new RegExp(`^fanotify ino:${inode} .* ignored_mask:(\\w+)`, 'gm'))
    for (let i = 0; i < 3; i += 1) await sh('echo x >> out/d/e/f')
    if (kernelAtLeast('6.0')) assert.deepEqual(ignored(), ['8000006'])
    await sh('mv out/d in/d')
    assert.deepEqual(ignored(), [])
    await sh('echo y >> in/d/e/f; : > in/d/e/g; rm in/d/e/g')
    seen.push(...told(quark.finish().filter(isFile), root))
    await quark.close()
    assert.deepEqual(seen.toSorted(), ['create in/d/e/g', 'modify in/d/e/f', 'move in/d', 'remove in/d/e/g'])
  },
)

test(
  'in a mount namespace of its own, calls are known, and names by functions of the kernel are verified',
  LIMIT,
  async (t) => {
    if (spawnSync('unshare', ['-m', 'true']).status !== 0) return t.skip('unshare(1) does not work here')
    const root = directory(t)
    const { events, quark } = await runWatched(
      root,
      `cd ${root}; unshare -m sh -c 'mount -t tmpfs none m && cd m && echo x > f && mv f g && rm g'`,
    )
    const mark = hasFunctions(quark.capabilities) ? '' : ' unverified'
    assert.deepEqual(told(events, root), ['create+modify+close m/f', `move m/g${mark}`, `remove m/g${mark}`])
  },
)

test('a container from before the start has paths of its own', LIMIT, async (t) => {
  if (spawnSync('unshare', ['-m', 'true']).status !== 0) return t.skip('unshare(1) does not work here')
  const root = directory(t)
  for (const name of ['lower', 'upper', 'work', 'in']) mkdirSync(join(root, name))
  const options = `lowerdir=${root}/lower,upperdir=${root}/upper,workdir=${root}/work`
  const { status, stderr } = spawnSync('mount', ['-t', 'overlay', 'o', '-o', options, join(root, 'm')], {
    encoding: 'utf8',
  })
  if (status !== 0) return t.skip(`overlayfs cannot be mounted here: ${stderr}`)
  const inside = join(root, 'm', root, 'in')
  mkdirSync(inside, { recursive: true })
  mkdirSync(join(root, 'm', 'old'))
  const { events } = await runWatched(
    join(root, 'in'),
    `cd ${root}/m; unshare -m sh -c 'mount --make-rprivate /; mount --rbind . . ; cd ${root}/m; pivot_root . old; : > ${root}/in/f'`,
  )
  assert.deepEqual(told(events, root), ['create in/f'])
})

test('overlayfs: what is edited and removed below a merged directory', LIMIT, async (t) => {
  const root = directory(t)
  for (const name of ['lower', 'upper', 'work']) mkdirSync(join(root, name))
  writeFileSync(join(root, 'lower', 'a'), 'x')
  writeFileSync(join(root, 'lower', 'b'), 'x')
  const options = `lowerdir=${root}/lower,upperdir=${root}/upper,workdir=${root}/work`
  const { status, stderr } = spawnSync('mount', ['-t', 'overlay', 'o', '-o', options, join(root, 'm')], {
    encoding: 'utf8',
  })
  if (status !== 0) return t.skip(`overlayfs cannot be mounted here: ${stderr}`)
  const { events, quark } = await runWatched(join(root, 'm'), `cd ${root}/m; echo y >> a; rm b; echo z > c`)
  const all = told(events, root)
  const isVerified = hasFunctions(quark.capabilities)
  assert.deepEqual(isVerified ? all : all.map((line) => line.replace(' unverified', '')), [
    'modify+close m/a',
    'remove m/b',
    'create+modify+close m/c',
  ])
  // Where the file systems below are watched too, the process still sees the merged directory.
  const whole = await runWatched('/', `cd ${root}/m; echo z > d; mv d e; rm e c; mkdir f; rmdir f`)
  const isWhole = whole.quark.capabilities.attached.some(({ fact }) => fact === 'fileNotices')
  assert.deepEqual(
    told(
      whole.events.filter(({ inexact }) => !inexact),
      root,
    ).map((line) => (isWhole ? line : line.replace(' unverified', ''))),
    ['create+modify+close m/d', 'move m/e', 'remove m/e', 'remove m/c', 'mkdir m/f', 'rmdir m/f'],
  )
})

test(
  'a thread that changes the name while a call runs makes no name that is not marked',
  { ...LIMIT, skip: !hasPython && 'there is no Python' },
  async (t) => {
    const root = directory(t)
    const program = `
import ctypes, os, threading
libc = ctypes.CDLL(None)
name = ctypes.create_string_buffer(b'aa')
stop = False
def flip():
    while not stop:
        name[0] = b'b'; name[0] = b'a'
t = threading.Thread(target=flip); t.start()
for i in range(300):
    for f in ('aa', 'ba'): os.close(os.open(f, os.O_CREAT | os.O_WRONLY))
    libc.unlink(name)
    gone = [f for f in ('aa', 'ba') if not os.path.exists(f)]
    print(gone[0], flush=True)
    for f in ('aa', 'ba'):
        if os.path.exists(f): os.rename(f, 'kept')
stop = True; t.join()
`
    writeFileSync(join(root, 'flip.py'), program)
    const { events } = await runWatched(root, `cd ${root}; python3 flip.py > truth`)
    const truth = spawnSync('cat', [join(root, 'truth')], { encoding: 'utf8' })
      .stdout.trim()
      .split('\n')
    const removed = events.filter(({ actions }) => actions.includes('remove'))
    const verified = removed
      .filter(({ unverified }) => !unverified)
      .map(({ path }) => path?.replace(`${root}/`, ''))
    const count = (list: readonly (string | undefined)[], name: string) =>
      list.filter((one) => one === name).length
    t.diagnostic(`${removed.length} removals, ${verified.length} of them verified, of ${truth.length}`)
    for (const name of ['aa', 'ba']) assert.ok(count(verified, name) <= count(truth, name), name)
    assert.equal(truth.length, 300)
    assert.equal(verified.length, 300)
  },
)

test(
  'secrets in the names of files and targets of links are not shown, unless that is wanted',
  LIMIT,
  async (t) => {
    const secret = `ghp_${'aB3dE5gH7j'.repeat(4).slice(0, 36)}`
    for (const redact of [true, false]) {
      const root = directory(t)
      const command = `: > ${root}/${secret}; mv ${root}/${secret} ${root}/x:${secret}; ln -s /${secret} ${root}/link`
      const { events } = await runWatched(root, command, { redact })
      const paths = events.flatMap(({ path, oldPath, target }) => [path, oldPath, target])
      assert.deepEqual(paths.filter((path) => path?.includes(secret)).length, redact ? 0 : 4, paths.join(' '))
      assert.deepEqual(
        events.map(({ actions }) => actions.join('+')),
        ['create', 'move', 'symlink'],
      )
    }
  },
)
