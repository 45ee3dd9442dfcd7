/** Other versions of this project, built from its history. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const own = fileURLToPath(new URL('..', import.meta.url))

/**
 * Builds a commit in a directory of the cache, unless it is there already.
 *
 * @returns the path of the checkout
 */
export function checkout(revision) {
  const commit = git('rev-parse', '--verify', `${revision}^{commit}`)
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'quark-bench')
  const path = join(cache, commit)
  if (existsSync(path)) return path
  // Built under another name, so that what has the right one is whole.
  const building = `${path}.${process.pid}`
  mkdirSync(building, { recursive: true })
  try {
    const run = (command, ...args) =>
      execFileSync(command, args, { cwd: building, stdio: ['ignore', 'ignore', 'inherit'] })
    console.error(`building ${commit.slice(0, 7)} …`)
    const archive = join(building, 'source.tar')
    git('archive', '--output', archive, commit)
    run('tar', '-xf', archive)
    rmSync(archive)
    run('npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund')
    run('npm', 'run', 'build')
    renameSync(building, path)
  } finally {
    rmSync(building, { recursive: true, force: true })
  }
  return path
}

/** The short name of a commit of this project. */
export function commitOf(revision = 'HEAD') {
  return git('rev-parse', '--short', revision)
}

function git(...args) {
  return execFileSync('git', ['-C', own, ...args], { encoding: 'utf8' }).trim()
}
