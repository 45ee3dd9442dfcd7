/** Kernel images of Debian's cloud flavour, by version. */

import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { debianArch, NotFetched, Suite } from './packages.mjs'

/** Releases that have a kernel, the first to ask first. */
const SUITES = {
  '5.10': ['bullseye'],
  6.1: ['bookworm'],
  6.12: ['bookworm', 'trixie'],
  newest: ['sid', 'trixie'],
}
const OTHER_VERSIONS = ['trixie', 'sid', 'bookworm', 'bullseye']

/**
 * Path of the newest kernel of a version such as `6.12`, or of the `newest` that there is. One that was fetched
 * before is used again unless `refresh`.
 *
 * @throws {NotFetched}
 */
export async function fetchKernel(version, arch, { cache, refresh }) {
  const path = join(cache, 'vmlinuz', `${version}-${arch}`)
  if (existsSync(path) && existsSync(modulesOf(path)) && !refresh) return path
  const tried = []
  for (const name of SUITES[version] ?? OTHER_VERSIONS) {
    const suite = new Suite(name, cache)
    try {
      suite.update()
    } catch (error) {
      if (!(error instanceof NotFetched)) throw error
      tried.push(error.message)
      continue
    }
    for (const candidate of candidates(suite, version, arch)) {
      if (unpackKernel(suite, candidate, arch, path)) return path
      tried.push(`${candidate} of ${name} could not be downloaded`)
    }
    tried.push(`Debian ${name} has no (other) cloud kernel ${version}`)
  }
  throw new NotFetched(tried.join('; '))
}

/** Images are in linux-image-*, and since 7.0 in linux-binary-*, beside which linux-image-* is empty. */
function candidates(suite, version, arch) {
  const numbers = version === 'newest' ? '[0-9.]+' : `${version.replaceAll('.', '\\.')}(\\.[0-9]+)*`
  const names = ['binary', 'image'].flatMap((kind) =>
    suite.search(`^linux-${kind}-${numbers}[-+].*cloud-${debianArch(arch)}$`, arch),
  )
  // Kernels for the release before are the last resort.
  return [
    ...names.filter((name) => !name.includes('deb11')),
    ...names.filter((name) => name.includes('deb11')),
  ]
}

function unpackKernel(suite, name, arch, path) {
  const folder = `${path}.unpacked`
  rmSync(folder, { recursive: true, force: true })
  try {
    console.log(`fetching ${name}`)
    if (!suite.unpack(name, arch, folder)) return false
    const image = readdirSync(folder, { recursive: true }).find((file) => /\/vmlinu[zx][^/]*$/.test(file))
    if (image === undefined) return false
    mkdirSync(join(path, '..'), { recursive: true })
    keepModules(folder, modulesOf(path))
    copyFileSync(join(folder, image), path)
    return true
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Modules that tests load: one that works anywhere, and one that finds no hardware. They need no others. */
const MODULES = ['dummy', 'powernow-k8']

/** Where the modules of a kernel are kept, in a folder of its release. */
export function modulesOf(path) {
  return `${path}.modules`
}

/** Keeps the modules that a package of a kernel has, unpacked. */
function keepModules(folder, target) {
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  for (const file of readdirSync(folder, { recursive: true })) {
    const [, release, name, packed] = /lib\/modules\/([^/]+)\/.*?([^/]+)\.ko(\.xz)?$/.exec(file) ?? []
    if (!MODULES.includes(name)) continue
    const kept = join(target, release, `${name}.ko`)
    mkdirSync(join(kept, '..'), { recursive: true })
    if (packed === undefined) copyFileSync(join(folder, file), kept)
    else writeFileSync(kept, unpacked(join(folder, file)))
  }
}

function unpacked(file) {
  const { status, stdout } = spawnSync('xz', ['-dc', file], { maxBuffer: 64 << 20 })
  if (status !== 0) throw new NotFetched(`xz could not unpack ${basename(file)}`)
  return stdout
}
