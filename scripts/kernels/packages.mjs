/** Debian packages, fetched with apt from a private state directory: nothing that they hold is installed. */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** What could not be had from outside. Its kernels are reported as not fetched, and never as passed. */
export class NotFetched extends Error {}

const DEBIAN_ARCH = { x64: 'amd64', arm64: 'arm64' }
const DEFAULT_KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
const LISTS_AGE_MS = 24 * 3600 * 1000

export function debianArch(arch) {
  return DEBIAN_ARCH[arch]
}

/** Runs a command and returns its output, or undefined if it failed. */
export function output(command, args, options = {}) {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20, ...options })
  return status === 0 ? stdout : undefined
}

/** Installs what a guest of this architecture is built and run with. */
export function installTools(arch) {
  const tools = {
    'qemu-system-x86_64': arch === 'x64' ? 'qemu-system-x86' : undefined,
    'qemu-system-aarch64': arch === 'arm64' ? 'qemu-system-arm' : undefined,
    'mkfs.ext4': 'e2fsprogs',
  }
  const missing = Object.entries(tools).filter(([tool, name]) => name !== undefined && !isInstalled(tool))
  if (missing.length === 0) return
  const names = missing.map(([, name]) => name)
  console.log(`installing ${names.join(', ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const args = ['install', '-y', '-q', '--no-install-recommends', ...names]
  if (output('apt-get', args, { env }) !== undefined) return
  output('apt-get', ['update', '-q'], { env })
  if (output('apt-get', args, { env }) !== undefined) return
  throw new NotFetched(`apt-get could not install ${names.join(', ')}`)
}

function isInstalled(tool) {
  return [...process.env.PATH.split(':'), '/usr/sbin', '/sbin'].some((folder) =>
    existsSync(join(folder, tool)),
  )
}

/** URIs of Debian's archive and of its security updates, as this machine's own sources name them. */
function debianSources() {
  const sources = {}
  for (const file of sourceFiles()) {
    const uris =
      readFileSync(file, 'utf8')
        .match(/^(?!\s*#).*$/gm)
        ?.join('\n')
        .match(/\bhttps?:\/\/[^\s\]]+/g) ?? []
    for (const uri of uris) {
      const kind = /\/(debian(-security)?)\/?$/.exec(uri)?.[1]
      if (kind !== undefined) sources[kind] ??= uri
    }
  }
  if (sources.debian === undefined) {
    throw new NotFetched("this machine's apt sources name no Debian archive: use --vmlinuz")
  }
  sources['debian-security'] ??= sources.debian.replace(/debian\/?$/, 'debian-security')
  return sources
}

function sourceFiles() {
  const folder = '/etc/apt/sources.list.d'
  const parts = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
  return ['/etc/apt/sources.list', ...parts].filter(
    (file) => existsSync(file) && /\.(list|sources)$/.test(file),
  )
}

/** One release of Debian for both architectures, with its updates. */
export class Suite {
  name
  #folder
  #options

  constructor(name, cache) {
    this.name = name
    this.#folder = resolve(cache, 'apt', name)
    const set = (key, value) => ['-o', `${key}=${value}`]
    this.#options = [
      ...set('Dir::Etc::sourcelist', join(this.#folder, 'sources.list')),
      ...set('Dir::Etc::sourceparts', '/dev/null'),
      ...set('Dir::State::lists', join(this.#folder, 'lists')),
      ...set('Dir::State::status', join(this.#folder, 'status')),
      ...set('Dir::Cache', join(this.#folder, 'cache')),
      ...set('Acquire::Languages', 'none'),
      ...set('APT::Sandbox::User', 'root'),
      ...set('APT::Architecture', 'amd64'),
      ...set('APT::Architectures::', 'amd64'),
      ...set('APT::Architectures::', 'arm64'),
    ]
  }

  /** Fetches the lists of packages, unless those of today are there. */
  update() {
    const stamp = join(this.#folder, 'updated')
    if (existsSync(stamp) && Date.now() - statSync(stamp).mtimeMs < LISTS_AGE_MS) return
    mkdirSync(join(this.#folder, 'lists/partial'), { recursive: true })
    mkdirSync(join(this.#folder, 'cache/archives/partial'), { recursive: true })
    writeFileSync(join(this.#folder, 'status'), '')
    writeFileSync(join(this.#folder, 'sources.list'), this.#sourceLines().join('\n'))
    // A part of the archive that is not reached is only a warning: what matters is whether the package is found.
    if (output('apt-get', [...this.#options, 'update']) === undefined) {
      throw new NotFetched(`apt-get update failed for Debian ${this.name}`)
    }
    writeFileSync(stamp, '')
  }

  #sourceLines() {
    const sources = debianSources()
    const line = (uri, suite) => `deb [signed-by=${DEFAULT_KEYRING}] ${uri} ${suite} main`
    if (this.name === 'sid') return [line(sources.debian, 'sid'), '']
    return [
      line(sources['debian-security'], `${this.name}-security`),
      line(sources.debian, `${this.name}-updates`),
      line(sources.debian, this.name),
      '',
    ]
  }

  /** Names of packages that match, newest version first. */
  search(pattern, arch) {
    const found = output('apt-cache', [
      ...this.#options,
      '-o',
      `APT::Architecture=${debianArch(arch)}`,
      'search',
      '--names-only',
      pattern,
    ])
    const names = (found ?? '').split('\n').map((line) => line.split(/[ :]/)[0])
    const order = new Intl.Collator('en', { numeric: true })
    return names.filter((name) => name !== '').sort((a, b) => order.compare(b, a))
  }

  /** Downloads a package and unpacks it into `folder`. False when the archive no longer has it. */
  unpack(name, arch, folder) {
    const debs = `${folder}.deb`
    rmSync(debs, { recursive: true, force: true })
    mkdirSync(debs, { recursive: true })
    try {
      const args = [...this.#options, 'download', `${name}:${debianArch(arch)}`]
      if (output('apt-get', args, { cwd: debs }) === undefined) return false
      mkdirSync(folder, { recursive: true })
      const [deb] = readdirSync(debs)
      return output('dpkg-deb', ['-x', join(debs, deb), folder]) !== undefined
    } finally {
      rmSync(debs, { recursive: true, force: true })
    }
  }
}

/** Unpacks a package of the npm registry into `folder`. */
export function unpackNpm(name, folder) {
  const tarballs = `${folder}.tgz`
  mkdirSync(tarballs, { recursive: true })
  try {
    const packed = output('npm', ['pack', '--silent', name], { cwd: tarballs })
    if (packed === undefined) throw new NotFetched(`the npm registry has no ${name}`)
    mkdirSync(folder, { recursive: true })
    const tarball = join(tarballs, packed.trim())
    if (output('tar', ['-xzf', tarball, '-C', folder, '--strip-components=1']) === undefined) {
      throw new NotFetched(`${name} could not be unpacked`)
    }
  } finally {
    rmSync(tarballs, { recursive: true, force: true })
  }
}
