// Runs the tests of many connections with 200,000 of them, or as many as the argument, and with two per millisecond for a
// minute.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const count = Number(process.argv[2] ?? 200_000)
if (!Number.isSafeInteger(count) || count < 1) {
  console.error(`Cannot make ${process.argv[2]} connections: give a number of at least 1`)
  process.exit(1)
}
const test = fileURLToPath(
  new URL('../packages/telemetry/dist/kinds/socket/connections.kernel.test.js', import.meta.url),
)
const { status } = spawnSync(process.execPath, ['--test', '--test-reporter=spec', test], {
  stdio: 'inherit',
  env: { ...process.env, QUARK_CONNECTIONS: String(count), QUARK_CONNECTIONS_PACED: '120000' },
})
process.exit(status ?? 1)
