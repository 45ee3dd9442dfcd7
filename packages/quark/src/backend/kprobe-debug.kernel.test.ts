import { test } from 'node:test'
import { readFileSync } from 'node:fs'
import { Quark } from '../quark.js'

test('debug', async (t) => {
  try {
    const q = await Quark.open({ backends: ['kprobe'], threads: true })
    t.diagnostic(JSON.stringify(q.capabilities))
    t.diagnostic(readFileSync('/sys/kernel/tracing/kprobe_events', 'latin1'))
    await q.close()
  } catch (error) {
    console.log(String(error))
    console.log(readFileSync('/sys/kernel/tracing/error_log', 'latin1'))
  }
})
