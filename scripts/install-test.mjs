// Packs the packages, installs the tarballs into an empty project with install scripts blocked, and runs the
// README's ten-line program there.
//   node scripts/install-test.mjs [node versions…]     default: the Node that runs this
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const versions = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'quark-install-'))
const npm = (args, cwd) =>
  execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })

function nodeOf(version) {
  if (version === undefined) return process.execPath
  // The meta package "node" brings its binary by an install script; these have it inside.
  const place = resolve('.cache', `node-${version}`)
  mkdirSync(place, { recursive: true })
  npm(
    [
      'install',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--prefix',
      place,
      `node-linux-${process.arch}@${version}`,
    ],
    place,
  )
  return join(place, 'node_modules', `node-linux-${process.arch}`, 'bin', 'node')
}

let failed = 0
try {
  const tarballs = ['ebpf', 'telemetry', 'mon'].map((name) => {
    const [packed] = JSON.parse(
      npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder], resolve('packages', name)),
    )
    return join(folder, packed.filename)
  })
  const project = join(folder, 'project')
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true, "type": "module" }')
  npm(['install', '--ignore-scripts', '--no-audit', '--no-fund', ...tarballs], project)
  cpSync('examples/ten-lines.mjs', join(project, 'ten-lines.mjs'))

  const readme = readFileSync('README.md', 'utf8')
  if (!readme.includes(readFileSync('examples/ten-lines.mjs', 'utf8').trim())) {
    failed += 1
    console.log('✖ README.md does not show examples/ten-lines.mjs as it is')
  }
  for (const version of versions.length > 0 ? versions : [undefined]) {
    const node = nodeOf(version)
    const name = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
    const runs = [
      ['the ten-line program', ['ten-lines.mjs']],
      ['quark-mon', ['node_modules/.bin/quark-mon', '--json', '--count', '3']],
    ]
    for (const [what, args] of runs) {
      const { status, stdout, stderr } = spawnSync(node, args, {
        cwd: project,
        encoding: 'utf8',
        timeout: 60_000,
      })
      const ok = status === 0 && stdout.trim() !== ''
      console.log(`${ok ? '✔' : '✖'} ${what} from the tarballs on Node ${name}`)
      if (!ok) {
        failed += 1
        console.log(stdout + stderr)
      }
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = failed === 0 ? 0 : 1
