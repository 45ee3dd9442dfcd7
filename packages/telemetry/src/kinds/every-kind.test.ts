import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import type { BaseEvent } from '../event/event.js'
import { ecsWriter } from '../output/ecs.js'
import { CONTEXT, parse, related, valueAt } from '../output/testing/ecs.js'
import { Summary, type SummarisedEvent } from '../summaries.js'
import { allSamples } from '../testing/samples.js'
import { Filter } from '../where/filter.js'
import type { Where } from '../where/predicates.js'
import { catalogue } from './index.js'

/** Of these quark itself makes the events. */
const OWN = 'quark'
const kindSamples = allSamples.filter(({ name }) => name !== OWN)

function passes(where: Where, event: BaseEvent): boolean {
  const filter = new Filter(where, {
    events: catalogue.events,
    userId: () => undefined,
    userNames: () => [],
    tracking: undefined,
  })
  return filter.wants(event as Parameters<Filter['wants']>[0])
}

for (const { name, golden, events } of kindSamples) {
  test(`documents of ECS of ${name} say what happened, lean and full`, () => {
    for (const document of ['lean', 'full'] as const) {
      const write = ecsWriter(catalogue, CONTEXT, { document })
      for (const event of golden) {
        const text = write(related(event))
        for (const path of ['event.kind', 'event.action', 'event.category', 'event.type', 'event.dataset']) {
          const words = [valueAt(parse(text), path)].flat() as readonly unknown[]
          assert.ok(words.length > 0, `${path} of ${text}`)
          for (const word of words) {
            assert.equal(typeof word, 'string', `${path} of ${text}`)
            assert.doesNotMatch(String(word), /^$|unknown/, `${path} of ${text}`)
          }
        }
      }
    }
  })

  test(`filters of events, actions and failures know ${name}`, () => {
    const [other] = kindSamples.find((one) => one.name !== name)?.golden ?? []
    for (const event of golden) {
      const { kind, action, actions } = event as { kind: string; action?: string; actions?: string[] }
      assert.ok(passes({ event: kind }, event))
      assert.ok(!passes({ event: other?.kind ?? '' }, event))
      for (const word of actions ?? (action === undefined ? [] : [action])) {
        assert.ok(passes({ action: word }, event), word)
        assert.ok(!passes({ action: `not ${word}` }, event), word)
      }
      const spec = events.find((one) => one.kind === kind)
      if (spec?.isFailure !== undefined)
        assert.equal(passes({ failed: true }, event), spec.isFailure(event as never))
    }
  })

  test(`a summary counts events of ${name}`, () => {
    for (const spec of events) {
      if (spec.summary === undefined) continue
      const summary = new Summary()
      const empty = JSON.stringify(summary.report({ seconds: 1 }))
      for (const event of golden) if (event.kind === spec.kind) summary.add(event as SummarisedEvent)
      const report = JSON.stringify(summary.report({ seconds: 1 }), (_name, value: unknown) =>
        typeof value === 'bigint' ? `${value}` : value,
      )
      assert.notEqual(report, empty, spec.kind)
    }
  })
}

test('of each kind that programs write records of there is a real run', () => {
  const without = kindSamples.filter(({ folder }) => {
    const places = ['real.hex', 'real.ndjson', 'session.hex'].map(
      (file) => new URL(`../../src/${folder}/testdata/${file}`, import.meta.url),
    )
    return !places.some((place) => existsSync(place))
  })
  // Recordings of processes are in another place; the tests of the others make and replay one each time.
  assert.deepEqual(without.map(({ name }) => name).toSorted(), [
    'container',
    'executable',
    'fileAccess',
    'module',
    'process',
    'socket',
    'tls',
  ])
})
