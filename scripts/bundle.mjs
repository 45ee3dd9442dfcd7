// Bundles each command into one file: most of a command's start is finding, reading and parsing its modules. A
// CommonJS file without white space is parsed fastest; names are kept, for the stacks of errors.
import { build } from 'esbuild'

for (const [command, entry] of [
  ['quark-mon', 'main.js'],
  ['quark-btf', 'btf/main.js'],
]) {
  await build({
    entryPoints: [`packages/mon/dist/${entry}`],
    outfile: `packages/mon/dist/${command}.bundle.cjs`,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20.20',
    external: ['koffi'],
    minifyWhitespace: true,
    minifySyntax: true,
    banner: { js: "const bundleUrl=require('node:url').pathToFileURL(__filename).href;" },
    define: { 'import.meta.url': 'bundleUrl' },
    legalComments: 'none',
    logLevel: 'warning',
  })
}
