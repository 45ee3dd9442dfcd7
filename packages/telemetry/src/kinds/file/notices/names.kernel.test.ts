/** Directories that are removed and moved after events were read, and before their paths are looked up. */

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  FAN_CREATE,
  FAN_DELETE,
  FAN_ONDIR,
  FAN_RENAME,
  FanotifyGroup,
  mountAt,
  NotSupportedError,
} from 'quark-ebpf'
import { findMount, readMountTable } from '../../../files/mounts.js'
import { DirectoryNames } from './names.js'

const MASK = FAN_CREATE | FAN_DELETE | FAN_RENAME | FAN_ONDIR

/** What is watched, from before `then` on. */
interface Watch {
  readonly root: string
  /** Paths below the root of what is read, with a look-up after `then` happened. */
  pathsAfter(then: () => void): (string | undefined)[]
  /** Paths of what is read next. */
  nextPaths(): (string | undefined)[]
}

/** @param directories that there are before */
function watch(t: TestContext, directories: readonly string[]): Watch | undefined {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'quark-names-')))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  for (const directory of directories) mkdirSync(join(root, directory), { recursive: true })
  let group: FanotifyGroup
  try {
    group = FanotifyGroup.open()
  } catch (error) {
    if (!(error instanceof NotSupportedError)) throw error
    t.skip(error.message)
    return undefined
  }
  t.after(() => group.close())
  group.markFileSystem(root, MASK)
  const mount = findMount(readMountTable(), mountAt(root)?.id ?? -1)
  const names = new DirectoryNames(() => mount)
  t.after(() => names.release())
  /** Others use the file system, too. */
  const below = (path: string | undefined): string[] =>
    path === undefined ? ['unknown'] : path.startsWith(`${root}/`) ? [path.slice(root.length + 1)] : []
  const isOurs = ({ pid }: { readonly pid: number }): boolean => pid === process.pid
  let ahead = group.read()
  const noted = (next: typeof ahead): (string | undefined)[] => {
    names.correct(next)
    const paths: (string | undefined)[] = []
    for (const event of ahead) {
      names.take(event)
      if (!isOurs(event) || event.at === undefined) continue
      paths.push(...below(names.pathOf(event.at.directory, event.at.name)))
    }
    ahead = next
    return paths
  }
  return {
    root,
    pathsAfter: (then) => {
      ahead = group.read()
      names.prepare(ahead)
      then()
      names.lookUp(ahead)
      return noted(group.read())
    },
    nextPaths: () => {
      names.prepare(ahead)
      names.lookUp(ahead)
      return noted(group.read())
    },
  }
}

test('of a directory that is removed meanwhile, the next event says where it was', (t) => {
  const watched = watch(t, ['d'])
  if (watched === undefined) return
  writeFileSync(join(watched.root, 'd', 'f'), '')
  rmSync(join(watched.root, 'd', 'f'))
  const paths = watched.pathsAfter(() => rmdirSync(join(watched.root, 'd')))
  assert.deepEqual([...new Set(paths)], ['d/f'])
  assert.deepEqual(watched.nextPaths(), ['d'])
})

test('of a directory that moves meanwhile, what was before has its former path', (t) => {
  const watched = watch(t, ['d', 'there'])
  if (watched === undefined) return
  const { root } = watched
  writeFileSync(join(root, 'd', 'f'), '')
  const paths = watched.pathsAfter(() => {
    renameSync(join(root, 'd'), join(root, 'there', 'e'))
    writeFileSync(join(root, 'there', 'e', 'g'), '')
  })
  assert.deepEqual(paths, ['d/f'])
  assert.deepEqual(watched.nextPaths(), ['there/e', 'there/e/g'])
})

test('so has what is below it', (t) => {
  const watched = watch(t, ['a/b/c', 'there'])
  if (watched === undefined) return
  const { root } = watched
  writeFileSync(join(root, 'a', 'b', 'c', 'f'), '')
  writeFileSync(join(root, 'a', 'g'), '')
  const paths = watched.pathsAfter(() => {
    renameSync(join(root, 'a', 'b'), join(root, 'b'))
    renameSync(join(root, 'a'), join(root, 'there', 'x'))
  })
  assert.deepEqual(paths, ['a/b/c/f', 'a/g'])
  assert.deepEqual(watched.nextPaths(), ['b', 'there/x'])
  renameSync(join(root, 'b', 'c'), join(root, 'c'))
  writeFileSync(join(root, 'c', 'h'), '')
  assert.deepEqual(
    watched.pathsAfter(() => {}),
    ['c', 'c/h'],
  )
})

test('a directory that is made and removed at once has its path', (t) => {
  const watched = watch(t, [])
  if (watched === undefined) return
  const made = join(watched.root, 'made')
  mkdirSync(made)
  writeFileSync(join(made, 'f'), '')
  const paths = watched.pathsAfter(() => rmSync(made, { recursive: true }))
  assert.deepEqual(paths, ['made', 'made/f'])
  assert.deepEqual(watched.nextPaths(), ['made/f', 'made'])
})
