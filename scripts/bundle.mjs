// Bundles each command into one file: most of a command's start is finding, reading and parsing its modules. A
// CommonJS file without white space is parsed fastest; names are kept, for the stacks of errors. Beside it is what the
// engine made of it, which this version of the engine takes in place of parsing it again.
import { execFileSync } from 'node:child_process'
import { copyFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { build } from 'esbuild'
import { LAUNCHER_ARCHITECTURES, launcherFile, launcherName } from '../packages/mon/dist/run/launcher-file.js'

for (const [command, entry] of [
  ['quark-mon', 'main.js'],
  ['quark-btf', 'btf/main.js'],
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
    // prom-client is loaded only if somebody wants metrics.
    external: ['koffi', 'prom-client'],
    minifyWhitespace: true,
    minifySyntax: true,
    banner: { js: "const bundleUrl=require('node:url').pathToFileURL(__filename).href;" },
    define: { 'import.meta.url': 'bundleUrl' },
    legalComments: 'none',
    logLevel: 'warning',
  })
  execFileSync(process.execPath, ['packages/mon/bin/launch.cjs', outfile], { stdio: 'inherit' })
}

// Beside the bundles, as the library that they are made of is not installed with them.
copyFileSync('packages/telemetry/data/offsets.json', 'packages/mon/dist/offsets.json')
// What commands are started through: nothing is compiled, the bytes are in src/run/launcher-file.ts.
for (const architecture of LAUNCHER_ARCHITECTURES) {
  const file = `packages/mon/dist/${launcherName(architecture)}`
  rmSync(file, { force: true })
  writeFileSync(file, launcherFile(architecture), { mode: 0o755 })
}
