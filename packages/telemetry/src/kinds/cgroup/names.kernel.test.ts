import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { findCgroupHierarchy } from '../../process/procfs/cgroup-mounts.js'
import { Quark } from '../../quark.js'
import { exitingProgram } from '../../testing/elf.js'
import { collectUntilExit, makeDirectory, writeProgram } from '../../testing/scenario.js'

const LIMIT = { timeout: 60_000 }
const MAX_TRIES = 500

function hierarchyHere() {
  const hierarchy = findCgroupHierarchy()
  assert.ok(hierarchy !== undefined, 'no cgroup hierarchy is mounted')
  return hierarchy
}

/** Cgroups that are removed at the end, the last ones first. */
class Cgroups {
  readonly #made: (string | Buffer)[] = []

  make<T extends string | Buffer>(path: T): T {
    mkdirSync(path)
    this.#made.push(path)
    return path
  }

  [Symbol.dispose](): void {
    for (const path of this.#made.toReversed()) {
      try {
        rmdirSync(path)
      } catch {
        // A process that was killed may be there for a moment.
      }
    }
  }
}

/** The cgroup that events have of a program which was run there. */
async function cgroupOfRun(
  quark: Quark,
  procs: string | Buffer,
  program: string,
): Promise<string | undefined> {
  const here = Buffer.concat([Buffer.from(procs), Buffer.from('/cgroup.procs')]).toString('latin1')
  // The shell gets the path's bytes by printf: arguments of spawn are UTF-8.
  const escaped = [...here].map((char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`).join('')
  const script = `echo $$ > "$(printf '${escaped}')"; exec "$1"`
  const child = spawn('/bin/sh', ['-c', script, 'sh', program], { stdio: 'ignore' })
  const events = await collectUntilExit(quark, child.pid!)
  const last = events.findLast((event) => event.process?.pid === child.pid)?.process
  assert.equal(last?.exe, program)
  return last?.cgroup
}

test('a cgroup made or renamed in another hierarchy renames none of ours', LIMIT, async (t) => {
  const { mountPoint, mountRoot } = hierarchyHere()
  const directory = makeDirectory('decoys')
  const program = writeProgram(directory, 'short', exitingProgram(0))
  const other = mkdtempSync(join(tmpdir(), 'quark-v1-'))
  const name = `none,name=quark${process.pid}`
  const mounted = spawnSync('mount', ['-t', 'cgroup', '-o', name, 'none', other], { encoding: 'utf8' })
  t.after(() => {
    spawnSync('umount', [other])
    rmdirSync(other)
    rmSync(directory, { recursive: true })
  })
  // Kernels can be built without v1.
  if (mounted.status !== 0) {
    assert.match(mounted.stderr, /unknown filesystem|not supported/)
    return
  }
  using cgroups = new Cgroups()
  await using quark = await Quark.open({ holdMs: 50 })
  let decoys = 0
  let decoy = { path: '', id: 0 }
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const path = `quark-payroll-${process.pid}-${tries}`
    const ours = cgroups.make(join(mountPoint, path))
    const id = statSync(ours).ino
    while (decoy.id < id) {
      const made = cgroups.make(join(other, `decoy${decoys++}`))
      decoy = { path: made, id: statSync(made).ino }
    }
    if (decoy.id !== id) continue
    spawnSync('mv', [decoy.path, `${decoy.path}-renamed`])
    cgroups.make(`${decoy.path}-renamed/sub`)
    const expected = mountRoot === '/' ? `/${path}` : `${mountRoot}/${path}`
    assert.equal(await cgroupOfRun(quark, ours, program), expected)
    rmdirSync(`${decoy.path}-renamed/sub`)
    rmdirSync(`${decoy.path}-renamed`)
    return
  }
  assert.fail('no two cgroups had the same number')
})

test('cgroups that are deep, or whose names are not UTF-8, have their own paths', LIMIT, async (t) => {
  const { mountPoint, mountRoot } = hierarchyHere()
  const directory = makeDirectory('deep')
  t.after(() => rmSync(directory, { recursive: true }))
  const program = writeProgram(directory, 'short', exitingProgram(0))
  const root = mountRoot === '/' ? '' : mountRoot
  using cgroups = new Cgroups()
  const top = `quark-deep-${process.pid}`
  let deep = cgroups.make(join(mountPoint, top))
  for (let depth = 0; depth < 70; depth++) deep = cgroups.make(`${deep}/a-name-of-some-length`)
  const odd = cgroups.make(Buffer.concat([Buffer.from(`${mountPoint}/${top}/`), Buffer.from([0x6f, 0xff])]))
  const below = deep.slice(mountPoint.length)
  {
    // All of them are found by a scan.
    await using quark = await Quark.open({ holdMs: 50 })
    assert.equal(await cgroupOfRun(quark, deep, program), root + below)
    assert.equal(await cgroupOfRun(quark, odd, program), `${root}/${top}/o\ufffd`)
    // A path that the kernel has no room for is not the cut one.
    const late = cgroups.make(`${deep}/late`)
    const found = await cgroupOfRun(quark, late, program)
    assert.ok(found === undefined || found === `${root}${below}/late`, found)
    const lateOdd = cgroups.make(Buffer.concat([odd, Buffer.from([0x2f, 0xfe])]))
    assert.equal(await cgroupOfRun(quark, lateOdd, program), `${root}/${top}/o\ufffd/\ufffd`)
  }
})

const INDEX = JSON.stringify(new URL('../../index.js', import.meta.url).href)

/** A module that reports the cgroups of three processes: found in /proc, in an old cgroup, and in a new one. */
function watcher(): string {
  return `
import { Quark } from ${INDEX}
const quark = await Quark.open({ snapshot: true, holdMs: 50 })
const found = {}
const note = (events) => {
  for (const { kind, process } of events) {
    const name = process?.argv?.[1]
    if (name?.startsWith('cg-') === true) found[name] = [...new Set([...(found[name] ?? []), process.cgroup])]
  }
}
note(quark.poll())
console.log('ready')
await new Promise((resolve) => process.stdin.once('data', resolve))
await new Promise((resolve) => setTimeout(resolve, 300))
note(quark.poll())
note(quark.finish())
const missing = quark.capabilities.missing.map(({ fact }) => fact)
await quark.close()
console.log(JSON.stringify({ found, missing }))
process.exit(0)
`
}

interface Findings {
  readonly found: Readonly<Record<string, readonly (string | null)[]>>
  readonly missing: readonly string[]
}

async function fromNamespace(agent: string, shell: string, act: () => void): Promise<Findings> {
  const script = `echo $$ > ${agent}/cgroup.procs; exec unshare -C ${shell} "$@"`
  const args = ['-c', script, 'sh', process.execPath, '--input-type=module', '-e', watcher()]
  const child = spawn('/bin/sh', args, { stdio: ['pipe', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    if (output === 'ready\n') {
      act()
      child.stdin.write('go\n')
    }
  })
  await once(child, 'close')
  return JSON.parse(output.slice('ready\n'.length)) as Findings
}

test('in a cgroup namespace of its own all paths have one form, which is reported', LIMIT, async (t) => {
  const { mountPoint, mountRoot, kind } = hierarchyHere()
  if (kind !== 'unified' || mountRoot !== '/') return
  // Mounts of a mount namespace of its own; in the second case nothing leads to those of the host.
  const own = `umount -R ${mountPoint}; mount -t cgroup2 none ${mountPoint}`
  const empty = mkdtempSync(join(tmpdir(), 'quark-empty-'))
  t.after(() => rmdirSync(empty))
  const hidden =
    `p=$$; while [ $p -gt 1 ]; do p=$(sed -n "s/^PPid:.//p" /proc/$p/status); ` +
    `all="$all $p"; done; for p in $all; do mount --bind ${empty} /proc/$p; done`
  const forms = [
    { name: "the host's mount is there", shell: '', isWhole: true },
    { name: 'a mount of its own', shell: `-m sh -c '${own}; exec "$@"' sh`, isWhole: true },
    {
      name: 'nothing else is to be seen',
      shell: `-m sh -c '${own}; ${hidden}; exec "$@"' sh`,
      isWhole: false,
    },
  ]
  for (const { name, shell, isWhole } of forms) {
    await t.test(name, async () => {
      using cgroups = new Cgroups()
      const outer = cgroups.make(join(mountPoint, `quark-outer-${process.pid}`))
      const agent = cgroups.make(join(outer, 'agent'))
      const web = cgroups.make(join(outer, 'web'))
      const inWeb = ['-c', `echo $$ > ${web}/cgroup.procs; exec sleep 60`, 'cg-found']
      const sleeper = spawn('/bin/sh', inWeb, { stdio: 'ignore' })
      const run = (path: string, word: string): void => {
        spawnSync('/bin/sh', ['-c', `echo $$ > ${path}/cgroup.procs; exec /bin/true cg-${word}`])
      }
      try {
        await once(sleeper, 'spawn')
        const { found, missing } = await fromNamespace(agent, shell, () => {
          run(web, 'web')
          run(cgroups.make(join(outer, 'new')), 'new')
          run(agent, 'agent')
          run(cgroups.make(join(agent, 'inner')), 'inner')
        })
        const base = outer.slice(mountPoint.length)
        const paths = Object.fromEntries(
          ['web', 'new', 'agent', 'inner'].map((word) => [word, found[`cg-${word}`]?.at(-1) ?? undefined]),
        )
        assert.equal(missing.includes('cgroup paths from the root'), !isWhole)
        if (isWhole) {
          assert.deepEqual(paths, {
            web: `${base}/web`,
            new: `${base}/new`,
            agent: `${base}/agent`,
            inner: `${base}/agent/inner`,
          })
        } else {
          assert.deepEqual([paths['web'], paths['new'], paths['agent']], [undefined, undefined, '/'])
          assert.ok([undefined, '/inner'].includes(paths['inner'] as string | undefined))
        }
      } finally {
        sleeper.kill('SIGKILL')
        await once(sleeper, 'exit')
      }
    })
  }
})
