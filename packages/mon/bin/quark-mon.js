#!/usr/bin/env node
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const main = new URL('../dist/main.js', import.meta.url)
const workspace = new URL('../../../', import.meta.url)

// A package has dist/; a fresh checkout has none when npm was not allowed to run its scripts.
if (!existsSync(main) && existsSync(new URL('tsconfig.json', workspace))) build()

const { main: run } = await import(main.href)
process.exitCode = await run(process.argv.slice(2))

function build() {
  process.stderr.write('quark-mon: building, as dist/ does not exist\n')
  const compiler = fileURLToPath(new URL('node_modules/typescript/bin/tsc', workspace))
  const { status, error } = spawnSync(process.execPath, [compiler, '-b'], {
    cwd: fileURLToPath(workspace),
    stdio: ['ignore', 2, 2],
  })
  if (status === 0) return
  process.stderr.write(`quark-mon: Cannot build: ${error?.message ?? 'run npm ci, and then npm run build'}\n`)
  process.exit(1)
}
