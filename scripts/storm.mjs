// Runs the storm tests with 200,000 processes, or as many as the argument.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const count = Number(process.argv[2] ?? 200_000)
if (!Number.isSafeInteger(count) || count < 4) {
  console.error(`Cannot make a storm of ${process.argv[2]} processes: give a number of at least 4`)
  process.exit(1)
}
const test = fileURLToPath(new URL('../packages/telemetry/dist/storm.kernel.test.js', import.meta.url))
const { status } = spawnSync(process.execPath, ['--test', '--test-reporter=spec', test], {
  stdio: 'inherit',
  env: { ...process.env, QUARK_STORM: String(count) },
})
process.exit(status ?? 1)
