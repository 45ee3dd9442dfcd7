// Runs a command, and asserts in a test what it did: run as root.
import { test } from 'node:test'
import { assertOnly, assertRan, trace } from 'quark-telemetry/testing'

test('the build starts a shell, and contacts nobody', async () => {
  const { report } = await trace(['sh', '-c', 'true | cat'], { stdio: 'ignore' })
  assertRan(report, '*/cat')
  assertOnly(report, { contacted: [], lookedUp: [], written: [] })
})
