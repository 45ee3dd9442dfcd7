import { test } from 'node:test'
import { Quark } from './quark.js'
import { runScenario } from './testing/scenario.js'

test('every process of the scenario appears once, with what is true of it', async (t) => {
  const said = await runScenario((options) => Quark.open(options))
  for (const line of said.split('\n').filter((line) => line !== '')) {
    t.diagnostic(line)
  }
})
