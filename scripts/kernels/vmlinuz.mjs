/** Kernel images of Debian's cloud flavour, by version. */

import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
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
  if (existsSync(path) && !refresh) return path
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
    copyFileSync(join(folder, image), path)
    return true
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
