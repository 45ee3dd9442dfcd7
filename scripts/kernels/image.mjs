/** The root file system of a guest: busybox, Node, and the built packages with their tests. */

import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { globSync } from '../glob.mjs'
import { NotFetched, output, Suite, unpackNpm } from './packages.mjs'

const PACKAGES = { 'quark-ebpf': 'ebpf', 'quark-telemetry': 'telemetry', 'quark-mon': 'mon' }
const IMAGE_SIZE = '320M'
/** What Python is made of, and the libraries of its modules. */
const PYTHON = [
  'python3.11-minimal',
  'libpython3.11-minimal',
  'libpython3.11-stdlib',
  'libffi8',
  'libexpat1',
  'zlib1g',
]
/** What tests need. */
const TEST_MODULES = ['ajv', 'fast-check']
/** Libraries that Node and busybox are linked with. */
const LIBRARIES = ['libc6', 'libstdc++6', 'libgcc-s1']

/**
 * Builds the image for an architecture. `files` are the test files that it will run, as the guest names them; with
 * `command`, arguments of node, it runs that instead. `settings` are NAME=VALUE, for either. `python` adds Python, for tests
 * that make system calls which Node does not.
 */
export async function buildImage(arch, { cache, filter, settings = [], command, python = false }) {
  const base = baseTree(arch, cache)
  // Of this process alone: another run may build another image meanwhile.
  const tree = join(cache, `tree-${arch}-${process.pid}`)
  rmSync(tree, { recursive: true, force: true })
  cpSync(base, tree, { recursive: true, verbatimSymlinks: true })
  addPackages(tree, arch)
  addModules(tree, arch, cache)
  if (python) addPython(tree, arch, cache)
  // What was built of a file that is gone stays in dist.
  const source = (file) => file.replace('/dist/', '/src/').replace(/\.js$/, '.ts')
  const files = globSync('packages', /dist\/.*\.kernel\.test\.js$/).filter(
    (file) => filter.test(file) && existsSync(source(file)),
  )
  writeFileSync(join(tree, 'app/files'), files.map((file) => `${file}\n`).join(''))
  writeFileSync(join(tree, 'app/settings.sh'), settings.map(settingLine).join(''))
  if (command !== undefined) writeFileSync(join(tree, 'app/command.sh'), `node ${command}\n`)
  const path = join(cache, `root-${arch}-${process.pid}.ext4`)
  process.once('exit', () => rmSync(path, { force: true }))
  const args = ['-q', '-F', '-O', '^has_journal', '-d', tree, path, IMAGE_SIZE]
  if (
    output('mkfs.ext4', args, { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } }) ===
    undefined
  ) {
    throw new Error(`Cannot make the root file system of a guest: mkfs.ext4 failed on ${tree}`)
  }
  rmSync(tree, { recursive: true, force: true })
  return { path, files }
}

/** Modules of the kernels that were fetched, by release. */
function addModules(tree, arch, cache) {
  const kernels = join(cache, 'vmlinuz')
  for (const folder of existsSync(kernels) ? readdirSync(kernels) : []) {
    if (!folder.endsWith(`-${arch}.modules`)) continue
    cpSync(join(kernels, folder), join(tree, 'app/modules'), { recursive: true })
  }
}

function settingLine(setting) {
  const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(setting) ?? []
  if (name === undefined) throw new Error(`Cannot set this in a guest: ${setting} (give NAME=VALUE)`)
  return `export ${name}='${value.replaceAll("'", "'\\''")}'\n`
}

/** What stays the same from run to run: busybox, Node of this very version, and their libraries. */
function baseTree(arch, cache) {
  const base = join(cache, `base-${arch}-${process.version}`)
  const done = join(base, 'etc/passwd')
  if (existsSync(done)) return base
  rmSync(base, { recursive: true, force: true })
  for (const folder of [
    'bin',
    'dev',
    'proc',
    'sys',
    'tmp',
    'run',
    'root',
    'etc',
    'mnt',
    'app/node_modules',
  ]) {
    mkdirSync(join(base, folder), { recursive: true })
  }
  chmodSync(join(base, 'tmp'), 0o1777)
  symlinkSync('bin', join(base, 'sbin'))
  mkdirSync(join(base, 'usr'))
  symlinkSync('../bin', join(base, 'usr/bin'))
  addBusybox(base, arch, cache)
  if (arch === process.arch) addOwnNode(base)
  else addForeignNode(base, arch, cache)
  writeFileSync(join(base, 'etc/hosts'), '127.0.0.1 localhost\n')
  writeFileSync(join(base, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n')
  writeFileSync(done, 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n')
  return base
}

function addPython(tree, arch, cache) {
  const unpacked = join(cache, `python-${arch}`)
  if (!existsSync(join(unpacked, 'done'))) {
    const suite = new Suite('bookworm', cache)
    suite.update()
    for (const name of arch === process.arch ? PYTHON : [...PYTHON, ...LIBRARIES]) {
      if (!suite.unpack(name, arch, unpacked))
        throw new NotFetched(`Debian bookworm has no ${name} for ${arch}`)
    }
    writeFileSync(join(unpacked, 'done'), '')
  }
  for (const folder of ['lib', 'lib64', 'usr/lib']) {
    if (!existsSync(join(unpacked, folder))) continue
    cpSync(join(unpacked, folder), join(tree, folder), {
      recursive: true,
      verbatimSymlinks: true,
      force: false,
    })
  }
  copyFileSync(join(unpacked, 'usr/bin/python3.11'), join(tree, 'bin/python3'))
}

/**
 * Not busybox-static: its shell runs commands without executing anything, and programs that are executed are
 * what the tests are about.
 */
function addBusybox(base, arch, cache) {
  const suite = new Suite('bookworm', cache)
  suite.update()
  const unpacked = join(cache, `busybox-${arch}`)
  rmSync(unpacked, { recursive: true, force: true })
  const names = arch === process.arch ? ['busybox'] : ['busybox', ...LIBRARIES]
  for (const name of names) {
    if (!suite.unpack(name, arch, unpacked))
      throw new NotFetched(`Debian bookworm has no ${name} for ${arch}`)
  }
  for (const folder of ['lib', 'lib64', 'usr/lib']) {
    if (!existsSync(join(unpacked, folder))) continue
    cpSync(join(unpacked, folder), join(base, folder), { recursive: true, verbatimSymlinks: true })
  }
  copyFileSync(join(unpacked, 'bin/busybox'), join(base, 'bin/busybox'))
  const listed = readFileSync(join(import.meta.dirname, 'guest/applets'), 'utf8')
    .trim()
    .split(/\s+/)
  for (const applet of listed) symlinkSync('busybox', join(base, 'bin', applet))
  rmSync(unpacked, { recursive: true, force: true })
}

/** The libraries are this machine's, for both: those of another release may not fit together. */
function addOwnNode(base) {
  addStripped(process.execPath, join(base, 'bin/node'))
  for (const program of [process.execPath, join(base, 'bin/busybox')]) {
    for (const path of output('ldd', [program])?.match(/\/\S+(?= \(0x)/g) ?? []) {
      mkdirSync(join(base, dirname(path)), { recursive: true })
      copyFileSync(realpathSync(path), join(base, path))
    }
  }
}

function addForeignNode(base, arch, cache) {
  const node = join(cache, `node-${arch}`)
  unpackNpm(`node-linux-${arch}@${process.version.slice(1)}`, node)
  addStripped(join(node, 'bin/node'), join(base, 'bin/node'))
  rmSync(node, { recursive: true, force: true })
  const { version } = JSON.parse(readFileSync('node_modules/koffi/package.json', 'utf8'))
  unpackNpm(
    `@koromix/koffi-linux-${arch}@${version}`,
    join(base, `app/node_modules/@koromix/koffi-linux-${arch}`),
  )
}

/** The modules that the packages and some others need, with those, and those that these need. */
function dependencies(others) {
  const found = new Set()
  const add = (name) => {
    if (found.has(name) || name in PACKAGES) return
    found.add(name)
    visit(`node_modules/${name}/package.json`)
  }
  const visit = (manifest) => {
    for (const name of Object.keys(JSON.parse(readFileSync(manifest, 'utf8')).dependencies ?? {})) add(name)
  }
  for (const folder of Object.values(PACKAGES)) visit(`packages/${folder}/package.json`)
  for (const name of others) add(name)
  return [...found]
}

/** Symbols are a tenth of Node; where they cannot be stripped they stay. */
function addStripped(from, to) {
  copyFileSync(from, to)
  output('strip', ['-s', to])
  chmodSync(to, 0o755)
}

function addPackages(tree, arch) {
  const app = join(tree, 'app')
  const here = import.meta.dirname
  for (const file of ['reporter.mjs', 'support.mjs', 'run.sh'])
    copyFileSync(join(here, 'guest', file), join(app, file))
  copyFileSync(join(here, 'guest/init.sh'), join(tree, 'init'))
  chmodSync(join(tree, 'init'), 0o755)
  cpSync('bench', join(app, 'bench'), { recursive: true })
  cpSync('scripts/scenario', join(app, 'scripts/scenario'), { recursive: true })
  cpSync('package.json', join(app, 'package.json'))
  const leftOut = /\/koffi\/(doc|vendor)(\/|$)|\.(map|d\.ts|tsbuildinfo)$/
  const copy = (path) => {
    if (!existsSync(path)) return
    cpSync(path, join(app, path), { recursive: true, filter: (from) => !leftOut.test(from) })
  }
  const native = arch === process.arch ? [`node_modules/@koromix/koffi-linux-${arch}`] : []
  const modules = dependencies(TEST_MODULES).map((name) => `node_modules/${name}`)
  for (const path of [...modules, ...native]) copy(path)
  for (const [name, folder] of Object.entries(PACKAGES)) {
    for (const part of ['package.json', 'dist', 'data', 'bin', 'man']) copy(join('packages', folder, part))
    symlinkSync(`/app/packages/${folder}`, join(app, 'node_modules', name))
  }
}
