/**
 * What tools do to a tree of files: the set of files that changed by the account of events is the one that is found by
 * comparing the tree before and after.
 */

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Quark } from '../../quark.js'
import { runWatched } from './testing/watched.js'
import type { FileEvent } from './events.js'

const LIMIT = { timeout: 180_000 }

/** What is compared of a file: of one that is the same, nothing changes. */
function fingerprint(path: string): string {
  const { mode, ino, mtimeNs, ctimeNs, size } = lstatSync(path, { bigint: true })
  return `${mode} ${ino} ${size} ${mtimeNs} ${ctimeNs}`
}

function isDirectory(path: string): boolean {
  return lstatSync(path).isDirectory()
}

/** All that is in a tree, with its fingerprint; of directories only that they are there. */
function treeAt(root: string): Map<string, string> {
  const found = new Map<string, string>()
  const visit = (directory: string): void => {
    for (const name of readdirSync(directory)) {
      const path = join(directory, name)
      found.set(path, isDirectory(path) ? `directory ${lstatSync(path).ino}` : fingerprint(path))
      if (isDirectory(path)) visit(path)
    }
  }
  visit(root)
  return found
}

/** Paths that are new, gone or different. */
function changesBetween(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): Set<string> {
  const changed = new Set<string>()
  for (const [path, print] of after) if (before.get(path) !== print) changed.add(path)
  for (const path of before.keys()) if (!after.has(path)) changed.add(path)
  return changed
}

/** Whether a path is there in the end, by the last event that says so. */
function accountOf(events: readonly FileEvent[]): { touched: Set<string>; removed: Set<string> } {
  const touched = new Set<string>()
  const removed = new Set<string>()
  const there = (path: string | undefined): void => {
    if (path === undefined) return
    touched.add(path)
    removed.delete(path)
  }
  const gone = (path: string | undefined): void => {
    if (path !== undefined) removed.add(path)
  }
  for (const { actions, path, oldPath, deleted } of events) {
    if (deleted) continue
    if (actions.includes('move')) {
      // What was below a directory moves with it.
      for (const known of touched) {
        if (oldPath !== undefined && known.startsWith(`${oldPath}/`)) {
          const moved = `${path}${known.slice(oldPath.length)}`
          if (!removed.has(known)) there(moved)
          gone(known)
        }
      }
      touched.add(oldPath as string)
      gone(oldPath)
    }
    there(path)
    // Another name of the same file has another number of links now.
    if (actions.includes('exchange') || actions.includes('link')) there(oldPath)
    if (actions.includes('remove') || actions.includes('rmdir')) gone(path)
  }
  return { touched, removed }
}

async function compare(t: TestContext, root: string, command: string): Promise<void> {
  const before = treeAt(root)
  const { events, quark } = await runWatched(root, command)
  assert.equal(quark.stats().lost, 0, JSON.stringify(quark.stats()))
  const after = treeAt(root)
  const changed = changesBetween(before, after)
  const { touched, removed } = accountOf(events)
  const missed = [...changed].filter((path) => !touched.has(path) && !removed.has(path))
  const wronglyGone = [...removed].filter((path) => after.has(path))
  const wronglyThere = [...touched].filter((path) => !removed.has(path) && !after.has(path))
  t.diagnostic(`${events.length} events, ${changed.size} paths changed, ${after.size} there`)
  const unverified = events.flatMap((event) => (event.unverified ? `${event.actions} ${event.path}` : []))
  assert.deepEqual(
    { missed, wronglyGone, wronglyThere, unverified },
    { missed: [], wronglyGone: [], wronglyThere: [], unverified: [] },
  )
}

function directory(t: TestContext): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'quark-trees-')))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  return root
}

function has(program: string): boolean {
  return spawnSync(program, ['--version']).error === undefined
}

/** Packages of a few files each, as tarballs in the cache of a registry that is a folder. */
function makeProject(root: string, packages: number): void {
  const dependencies: Record<string, string> = {}
  mkdirSync(join(root, 'packages'))
  for (let i = 0; i < packages; i++) {
    const name = `made-${i}`
    const folder = join(root, 'made', 'package')
    mkdirSync(join(folder, 'lib'), { recursive: true })
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version: '1.0.0', main: 'index.js' }))
    writeFileSync(join(folder, 'index.js'), `module.exports = ${i}\n`)
    for (let j = 0; j < 5; j++) writeFileSync(join(folder, 'lib', `${j}.js`), `exports.x = ${i * j}\n`)
    execFileSync('tar', ['czf', join(root, 'packages', `${name}.tgz`), '-C', join(root, 'made'), 'package'])
    rmSync(join(root, 'made'), { recursive: true })
    dependencies[name] = `file:../packages/${name}.tgz`
  }
  mkdirSync(join(root, 'project'))
  writeFileSync(
    join(root, 'project', 'package.json'),
    JSON.stringify({ name: 'project', version: '1.0.0', dependencies }),
  )
  const options = {
    cwd: join(root, 'project'),
    env: { ...process.env, npm_config_cache: join(root, 'cache') },
  }
  execFileSync('npm', ['install', '--package-lock-only', '--no-audit', '--no-fund', '--offline'], options)
}

test('npm ci of hundreds of packages', { ...LIMIT, skip: !has('npm') && 'there is no npm' }, async (t) => {
  const root = directory(t)
  makeProject(root, 200)
  const command = `cd ${root}/project && npm_config_cache=${root}/cache npm ci --no-audit --no-fund --offline --ignore-scripts`
  await compare(t, root, command)
})

test('git clone and checkout', { ...LIMIT, skip: !has('git') && 'there is no git' }, async (t) => {
  const root = directory(t)
  const commands = `
    git init -q -b main one && cd one && git config user.email a@example.org && git config user.name a
    for i in $(seq 300); do mkdir -p d$((i % 17)); echo $i > d$((i % 17))/f$i; done
    git add -A && git commit -qm one && git checkout -qb other && git rm -qr d3 d4 && echo x > d5/f5 && git mv d6 d66
    git commit -qam two && git checkout -q main`
  execFileSync('sh', ['-ec', commands], { cwd: root })
  await compare(
    t,
    root,
    `cd ${root} && git clone -q one two && cd two && git checkout -q other && git checkout -q main`,
  )
})

test('tar x', { ...LIMIT, skip: !has('tar') && 'there is no tar' }, async (t) => {
  const root = directory(t)
  mkdirSync(join(root, 'from'))
  for (let i = 0; i < 500; i++) {
    mkdirSync(join(root, 'from', `d${i % 20}`), { recursive: true })
    writeFileSync(join(root, 'from', `d${i % 20}`, `f${i}`), 'x'.repeat(i))
  }
  execFileSync('tar', ['cf', 'all.tar', 'from'], { cwd: root })
  mkdirSync(join(root, 'to'))
  await compare(t, root, `tar xf ${root}/all.tar -C ${root}/to && rm -r ${root}/from/d3`)
})

test('make -j2', { ...LIMIT, skip: !has('make') && 'there is no make' }, async (t) => {
  const root = directory(t)
  const rules = [
    'all: $(patsubst %,out/%,$(shell seq 200))',
    'out/%:',
    '\t@mkdir -p out',
    '\t@echo $* > $@.tmp',
    '\t@mv $@.tmp $@',
  ]
  writeFileSync(join(root, 'Makefile'), `${rules.join('\n')}\n`)
  await compare(t, root, `cd ${root} && make -s -j2`)
})

test('a replay has the same events', LIMIT, async (t) => {
  const root = directory(t)
  const recording = join(directory(t), 'recording')
  const { events } = await runWatched(
    root,
    `cd ${root}; for i in 1 2 3; do echo $i > f$i; mv f$i g$i; done; rm g1`,
    { record: recording },
  )
  const replay = await Quark.replay(recording)
  const replayed: FileEvent[] = []
  for await (const event of replay) if (event.kind === 'file') replayed.push(event)
  await replay.close()
  const plain = ({ process, relatives: _relatives, ...rest }: FileEvent) => ({
    ...rest,
    process: process?.entityId,
  })
  assert.ok(events.length > 0)
  assert.deepEqual(replayed.map(plain), events.map(plain))
  assert.ok(readFileSync(recording).length > 0)
  assert.throws(() => readlinkSync(recording))
})
