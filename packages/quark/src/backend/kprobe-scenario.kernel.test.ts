import { test } from 'node:test'
import { Quark } from '../quark.js'
import { runScenario } from '../testing/scenario.js'

test('every process of the scenario appears once, with what is true of it', async () => {
  await runScenario((options) => Quark.open({ ...options, backends: ['kprobe'] }))
})
