// Packs the packages, and installs the tarballs into empty folders outside of the clone, with install scripts blocked, by
// the commands of the README and of docs/installing.md; then runs what these show: the commands, ES modules, CommonJS and
// TypeScript. Checks that nothing was fetched but what package-lock.json declares, and the packages themselves.
//   node scripts/install-test.mjs [node versions…]     default: the Node that runs this
import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'

const root = fileURLToPath(new URL('..', import.meta.url))
const versions = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'quark-install-'))
const tarballs = join(folder, 'tarballs')
const environment = {
  ...process.env,
  npm_config_ignore_scripts: 'true',
  npm_config_prefer_offline: 'true',
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_prefix: join(folder, 'global'),
  PATH: `${join(folder, 'global/bin')}:${process.env.PATH}`,
}
let failed = 0

function report(ok, what, why = '') {
  console.log(`${ok ? '✔' : '✖'} ${what}`)
  if (ok) return
  failed += 1
  console.log(why)
}

/** Runs a program; it must exit with 0, and print something unless that does not matter. */
function check(what, command, args, { cwd, mayBeSilent = false, expected = /\S/, code = 0 } = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env: environment,
    encoding: 'utf8',
    timeout: 600_000,
  })
  report(
    status === code && (mayBeSilent || expected.test(stdout + stderr)),
    what,
    `${error ?? ''}${stdout}${stderr}`,
  )
  return stdout
}

/** The block of a page that is marked as tested under this name. */
function block(page, name) {
  const text = readFileSync(join(root, page), 'utf8')
  const marker = `<!-- tested by scripts/install-test.mjs: ${name} -->\n`
  const at = text.indexOf(marker)
  if (at === -1) throw new Error(`${page} has no block "${name}"`)
  return text.slice(at + marker.length).replace(/^```\w+\n([^]*?)\n```[^]*/, '$1\n')
}

/** An empty folder with the tarballs, as whoever installs them has it. */
function emptyFolder(name, ...packages) {
  const place = join(folder, name)
  mkdirSync(place)
  for (const file of readdirSync(tarballs)) {
    if (packages.some((name) => file.startsWith(`quark-${name}-`)))
      cpSync(join(tarballs, file), join(place, file))
  }
  return place
}

/** Everything below a node_modules must be of the tarballs, or in package-lock.json, in that version. */
function checkFetched(what, modules, ours) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const declared = new Map()
  for (const [path, { version, dev }] of Object.entries(packages))
    if (dev !== true) declared.set(path.replace(/^.*node_modules\//, ''), version)
  const wrong = []
  const found = new Set()
  for (const file of readdirSync(modules, { recursive: true })) {
    const [, name] = /(?:^|node_modules\/)((?:@[^/]+\/)?[^/]+)\/package\.json$/.exec(file) ?? []
    if (name === undefined) continue
    found.add(name)
    const { version } = JSON.parse(readFileSync(join(modules, file), 'utf8'))
    if (!ours.includes(name) && declared.get(name) !== version)
      wrong.push(`${file}: ${version}, declared: ${declared.get(name)}`)
  }
  // Where npm notes it, what is ours must be of a file: others may have the names in a registry.
  const notes = join(modules, '.package-lock.json')
  const noted = existsSync(notes) ? JSON.parse(readFileSync(notes, 'utf8')).packages : {}
  for (const name of ours) {
    const { resolved = 'file:' } = noted[`node_modules/${name}`] ?? {}
    if (!found.has(name) || !resolved.startsWith('file:')) wrong.push(`${name}: ${resolved}`)
  }
  const isKoffi = found.has('koffi')
  report(isKoffi && wrong.length === 0, `${what}: nothing is fetched but what is declared`, wrong.join('\n'))
}

function nodeOf(version) {
  if (version === undefined) return process.execPath
  // The meta package "node" brings its binary by an install script; these have it inside.
  const place = resolve(root, '.cache', `node-${version}`)
  mkdirSync(place, { recursive: true })
  const wanted = `node-linux-${process.arch}@${version}`
  execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', place, wanted], {
    cwd: place,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return join(place, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node')
}

/** What a registry, and the compilers of users, would find wrong with a tarball. */
async function lint(file) {
  const bytes = readFileSync(join(tarballs, file))
  const { messages } = await publint({ strict: true, pack: { tarball: Uint8Array.from(bytes).buffer } })
  // On Linux, which is all that the package is for, a command may begin in sh(1).
  const wrong = messages.filter(
    ({ code, path }) => code !== 'BIN_FILE_NOT_EXECUTABLE' || path.at(-1) !== 'quark-mon',
  )
  report(wrong.length === 0, `${file}: publint`, JSON.stringify(wrong))
  const { types, problems = [] } = await checkPackage(createPackageFromTarballData(Uint8Array.from(bytes)))
  // ES modules alone, and entries by `exports`: what is older than both is not supported.
  const serious = problems.filter(
    ({ kind, resolutionKind }) => resolutionKind !== 'node10' && kind !== 'CJSResolvesToESM',
  )
  const isTyped = types !== false || file.startsWith('quark-mon-')
  report(isTyped && serious.length === 0, `${file}: its types are right`, JSON.stringify(serious))
}

function compile(what, project, file, settings) {
  const modules = join(root, 'node_modules')
  const args = [
    '--noEmit',
    '--strict',
    '--target',
    'es2023',
    '--lib',
    'es2023,esnext.disposable',
    '--types',
    'node',
  ]
  check(
    `TypeScript: ${what}`,
    process.execPath,
    [join(modules, 'typescript/bin/tsc'), ...args, '--typeRoots', join(modules, '@types'), ...settings, file],
    {
      cwd: project,
      mayBeSilent: true,
    },
  )
}

try {
  check('npm run pack', process.execPath, [join(root, 'scripts/pack.mjs'), tarballs])
  const files = readdirSync(tarballs)
  for (const file of files.filter((name) => name.endsWith('.tgz'))) await lint(file)

  const parts = JSON.parse(readFileSync(join(tarballs, 'quark.cdx.json'), 'utf8')).components
  const named = ['koffi', 'prom-client', 'quark-ebpf', 'quark-telemetry', 'quark-mon']
  report(
    parts.every(({ version, licenses }) => version !== undefined && licenses?.length > 0) &&
      named.every((name) => parts.some((part) => part.name === name)),
    'the SBOM names each part with its version and licence',
    JSON.stringify(parts.map(({ name, version, licenses }) => ({ name, version, licenses }))),
  )

  // The command, by the README, and without touching the machine.
  const command = emptyFolder('command', 'mon')
  check('the command, as the README installs it', 'bash', ['-ec', block('README.md', 'command')], {
    cwd: command,
    expected: /^quark-mon \d/m,
  })
  check('the command, below a folder', 'bash', ['-ec', block('docs/installing.md', 'prefix')], {
    cwd: command,
    expected: /^quark-mon \d/m,
  })
  const global = join(folder, 'global')
  checkFetched('the command', join(global, 'lib/node_modules'), ['quark-mon'])
  for (const page of ['quark-mon.8', 'quark-btf.8'])
    report(existsSync(join(global, 'share/man/man8', page)), `${page} is where man looks for it`)

  // The library.
  const library = emptyFolder('library', 'telemetry', 'ebpf')
  check('the library, as the README installs it', 'bash', ['-ec', block('README.md', 'library')], {
    cwd: library,
    mayBeSilent: true,
  })
  checkFetched('the library', join(library, 'node_modules'), ['quark-telemetry', 'quark-ebpf'])
  cpSync(join(root, 'examples/ten-lines.mjs'), join(library, 'ten-lines.mjs'))
  report(
    readFileSync(join(root, 'README.md'), 'utf8').includes(
      readFileSync(join(root, 'examples/ten-lines.mjs'), 'utf8').trim(),
    ),
    'README.md shows examples/ten-lines.mjs as it is',
  )
  for (const name of ['app.mjs', 'app.cjs', 'app.ts'])
    writeFileSync(join(library, name), block('docs/installing.md', name))
  for (const [name, text] of [
    ['app.mts', readFileSync(join(library, 'app.ts'), 'utf8')],
    [
      'app.cts',
      "import { Quark } from 'quark-telemetry'\nexport const open = (): Promise<Quark> => Quark.open({})\n",
    ],
    ['later.cts', "export const open = async () => (await import('quark-telemetry')).Quark.open({})\n"],
    [
      'parts.mts',
      "import { kernelBtf } from 'quark-ebpf'\nimport { u32 } from 'quark-ebpf/probe'\nexport { kernelBtf, u32 }\n",
    ],
  ])
    writeFileSync(join(library, name), text)
  compile('node16', library, 'app.mts', ['--module', 'node16'])
  compile('node16, CommonJS with import()', library, 'later.cts', ['--module', 'node16'])
  compile('nodenext', library, 'app.mts', ['--module', 'nodenext'])
  compile('nodenext, CommonJS', library, 'app.cts', ['--module', 'nodenext'])
  compile('bundler', library, 'app.ts', ['--module', 'esnext', '--moduleResolution', 'bundler'])
  compile('entries of quark-ebpf', library, 'parts.mts', ['--module', 'nodenext'])

  for (const version of versions.length > 0 ? versions : [undefined]) {
    const node = nodeOf(version)
    const name = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
    environment.PATH = `${dirname(node)}:${process.env.PATH}`
    const bin = (command) => join(global, 'bin', command)
    check(`quark-mon from the tarball on Node ${name}`, node, [bin('quark-mon'), '--json', '--count', '3'])
    check(`quark-mon -- COMMAND on Node ${name}`, bin('quark-mon'), ['--', 'sh', '-c', '/bin/true; exit 3'], {
      expected: /2 processes created in .* nothing was lost/,
      code: 3,
    })
    check(
      `quark-btf from the tarball on Node ${name}`,
      node,
      [bin('quark-btf'), '-l', '6.1.0-56-cloud-amd64'],
      {
        expected: /^debian /,
      },
    )
    check(`the program of the README on Node ${name}`, node, ['ten-lines.mjs'], { cwd: library })
    check(`an ES module on Node ${name}`, node, ['app.mjs'], {
      cwd: library,
      expected: /^(snapshot|process) \d+$/m,
    })
    check(`CommonJS on Node ${name}`, node, ['app.cjs'], {
      cwd: library,
      expected: /^(snapshot|process) \d+$/m,
    })
  }

  for (const command of ['quark-mon', 'quark-btf'])
    check(`npx ${command} in a clone`, 'npx', ['--no', '--', command, '--version'], {
      cwd: root,
      expected: /^quark-/,
    })
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = failed === 0 ? 0 : 1
