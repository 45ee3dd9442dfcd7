import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import type { ProcessEvent } from './kinds/process/events.js'
import { createEcs } from './outputs.js'
import { Quark } from './quark.js'

/** Most bytes of the lean document of a short program. */
const MOST_BYTES = 1600

test('the lean document of /bin/true is short, and less than half of the full one', async () => {
  await using quark = await Quark.open({ holdMs: 100 })
  const { pid } = spawnSync('/bin/true', { cwd: '/' })
  let event: ProcessEvent | undefined
  while (event === undefined) {
    for (const one of quark.poll()) {
      if (one.kind === 'process' && one.process.pid === pid && one.actions.includes('exit')) event = one
    }
    if (event === undefined) await quark.wait()
  }
  const context = {
    // The length of its name is the machine's.
    host: { ...quark.host, hostname: 'host' },
    userName: (uid: number) => quark.userName(uid),
    groupName: (gid: number) => quark.groupName(gid),
  }
  const lean = createEcs(context)(event)
  const full = createEcs(context, { form: 'full' })(event)
  assert.ok(lean.length <= MOST_BYTES, `${lean.length} bytes: ${lean}`)
  assert.ok(lean.length * 2 < full.length, `${lean.length} and ${full.length} bytes`)
})
