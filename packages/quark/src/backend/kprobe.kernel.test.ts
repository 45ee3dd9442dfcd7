import { test } from 'node:test'
import { Quark } from '../quark.js'
import { runScenario } from '../testing/scenario.js'

test('the scenario through kprobes', async (t) => {
  const q = await Quark.open({ backends: ['kprobe'], threads: true })
  t.diagnostic(JSON.stringify(q.capabilities))
  await q.close()
  await runScenario((options) => Quark.open({ ...options, backends: ['kprobe'] }))
})
