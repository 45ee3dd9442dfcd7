import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'

// A monitor makes the same short-lived garbage for as long as it runs. The engine would answer a storm of
// processes with a young generation of tens of megabytes, and give it back late.
setFlagsFromString('--semi-space-growth-factor=1')

const workspace = new URL('../../../', import.meta.url)
const isCheckout = existsSync(new URL('tsconfig.json', workspace))

/**
 * Runs a command: its bundle, which starts faster, or in a checkout whose bundle is older than the build, the
 * modules as they are. A checkout that was never built, since npm was not allowed to run scripts, is built first.
 */
export async function launch(command, entry) {
  const main = new URL(`../dist/${entry}`, import.meta.url)
  const bundle = new URL(`../dist/${command}.bundle.js`, import.meta.url)
  if (isCheckout && !existsSync(main)) build(command)
  const { main: run } = await import((isFresh(bundle) ? bundle : main).href)
  process.exitCode = await run(process.argv.slice(2))
}

function isFresh(bundle) {
  const made = timeOf(bundle)
  if (made === undefined || !isCheckout) return made !== undefined
  return ['ebpf', 'quark', 'mon'].every((name) => {
    const built = timeOf(new URL(`packages/${name}/dist/.tsbuildinfo`, workspace))
    return built !== undefined && built <= made
  })
}

function timeOf(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs
}

function build(command) {
  process.stderr.write(`${command}: building, as dist/ does not exist\n`)
  for (const script of ['node_modules/typescript/bin/tsc', 'scripts/bundle.mjs']) {
    const { status, error } = spawnSync(process.execPath, [fileURLToPath(new URL(script, workspace)), '-b'], {
      cwd: fileURLToPath(workspace),
      stdio: ['ignore', 2, 2],
    })
    if (status === 0) continue
    process.stderr.write(
      `${command}: Cannot build: ${error?.message ?? 'run npm ci, and then npm run build'}\n`,
    )
    process.exit(1)
  }
}
