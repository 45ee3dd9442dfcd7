// Bundles each command into one file: most of a command's start is finding, reading and parsing its modules. A
// CommonJS file without white space is parsed fastest; names are kept, for the stacks of errors. Beside it is what the
// engine made of it, which this version of the engine takes in place of parsing it again.
import { spawnSync } from 'node:child_process'
import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { build } from 'esbuild'
import { LAUNCHER_ARCHITECTURES, launcherFile, launcherName } from '../packages/mon/dist/run/launcher-file.js'

/** A replay, and where this user may, a look at this machine: the functions of both are then compiled beforehand. */
const RECORDING = 'packages/telemetry/src/recording/testdata/0.1.0.quarkrec'
const RUNS = [
  `--replay=${RECORDING} -q -o /dev/null`,
  `--replay=${RECORDING} -q --json -o /dev/null`,
  ...(process.getuid?.() === 0 ? ['-q --json --duration=0.2 -o /dev/null'] : []),
]

for (const [command, entry, runs] of [
  ['quark-mon', 'main.js', RUNS],
  ['quark-btf', 'btf/main.js', []],
]) {
  const outfile = `packages/mon/dist/${command}.bundle.cjs`
  // It must never be older than the bundle: the engine compares no more than their lengths.
  for (const file of readdirSync('packages/mon/dist')) {
    if (file.startsWith(`${command}.bundle.cjs.`)) rmSync(`packages/mon/dist/${file}`)
  }
  await build({
    entryPoints: [`packages/mon/dist/${entry}`],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20.20',
    // Loaded only if somebody wants them, but for the first.
    external: ['koffi', 'dns-packet', 'prom-client', 're2js', 'yaml'],
    minifyWhitespace: true,
    minifySyntax: true,
    banner: { js: "const bundleUrl=require('node:url').pathToFileURL(__filename).href;" },
    define: { 'import.meta.url': 'bundleUrl' },
    legalComments: 'none',
    logLevel: 'warning',
  })
  // The launcher reads a byte as a character, which takes half the memory.
  if (/[^\0-\x7f]/.test(readFileSync(outfile, 'utf8')))
    throw new Error(`${outfile} is not of ASCII: write \\u escapes`)
  const launcher = [process.execPath, 'packages/mon/bin/launch.cjs', outfile]
  const { status, stderr } = spawnSync(launcher[0], [...launcher.slice(1), ...runs], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${outfile} does not run:\n${stderr}`)
}

// Processes of their own, which run these files as they are.
await build({
  entryPoints: [
    'packages/telemetry/dist/kinds/executable/reader-main.js',
    'packages/telemetry/dist/kinds/container/users/users-main.js',
  ],
  entryNames: '[name]',
  outdir: 'packages/mon/dist',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.20',
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
})

// Beside the bundles, as the library that they are made of is not installed with them.
copyFileSync('packages/telemetry/data/offsets.json', 'packages/mon/dist/offsets.json')
// What commands are started through: nothing is compiled, the bytes are in src/run/launcher-file.ts.
for (const architecture of LAUNCHER_ARCHITECTURES) {
  const file = `packages/mon/dist/${launcherName(architecture)}`
  rmSync(file, { force: true })
  writeFileSync(file, launcherFile(architecture), { mode: 0o755 })
}
