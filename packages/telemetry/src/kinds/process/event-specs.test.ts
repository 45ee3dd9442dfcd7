import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createEcs } from '../../outputs.js'
import { CONTEXT, parse, valueAt } from '../../output/testing/ecs.js'
import type { ProcessAction } from './events.js'
import { INIT, processOf, TIME_NS } from './testing/processes.js'

test('ECS names actions and types', async (t) => {
  const cases: { actions: ProcessAction[]; action: string; types: string[] }[] = [
    { actions: ['fork'], action: 'process-forked', types: ['start'] },
    { actions: ['exec'], action: 'process-executed', types: ['start'] },
    { actions: ['exit'], action: 'process-exited', types: ['end'] },
    { actions: ['fork', 'exec', 'exit'], action: 'process-forked-executed-exited', types: ['start', 'end'] },
    { actions: ['fork', 'idChange'], action: 'process-forked', types: ['start', 'change'] },
    { actions: ['idChange'], action: 'process-id-changed', types: ['change'] },
    { actions: ['commChange'], action: 'process-renamed', types: ['change'] },
    { actions: ['idChange', 'commChange'], action: 'process-id-changed-renamed', types: ['change'] },
  ]
  for (const { actions, action, types } of cases) {
    await t.test(actions.join(' and '), () => {
      const event = { kind: 'process', actions, timeNs: TIME_NS, process: INIT, idChange: undefined } as const
      const document = parse(createEcs(CONTEXT)(event))
      assert.equal(valueAt(document, 'event.action'), action)
      assert.deepEqual(valueAt(document, 'event.type'), types)
      assert.deepEqual(valueAt(document, 'quark.actions'), actions)
    })
  }
})

test('ECS distinguishes sessions with a terminal from those without', () => {
  const cases = [
    { tty: [0, 0], interactive: false, major: undefined },
    { tty: [136, 0], interactive: true, major: 136 },
    { tty: [143, 255], interactive: true, major: 143 },
    { tty: [4, 64], interactive: true, major: 4 },
    { tty: [5, 1], interactive: false, major: 5 },
  ] as const
  for (const { tty, interactive, major } of cases) {
    const process = processOf({ pid: 1, ttyMajor: tty[0], ttyMinor: tty[1] })
    const document = parse(createEcs(CONTEXT)({ kind: 'snapshot', timeNs: TIME_NS, process }))
    assert.equal(valueAt(document, 'process.interactive'), interactive)
    assert.equal(valueAt(document, 'process.tty.char_device.major'), major)
  }
})
