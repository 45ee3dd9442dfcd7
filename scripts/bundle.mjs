// Bundles each command into one file: most of a command's start is finding and reading its modules.
import { build } from 'esbuild'

for (const [command, entry] of [
  ['quark-mon', 'main.js'],
  ['quark-btf', 'btf/main.js'],
]) {
  await build({
    entryPoints: [`packages/mon/dist/${entry}`],
    outfile: `packages/mon/dist/${command}.bundle.js`,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.20',
    external: ['koffi'],
    legalComments: 'none',
    logLevel: 'warning',
  })
}
