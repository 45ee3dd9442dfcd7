import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { catalogue } from '../kinds/index.js'
import { matchGolden } from '../testing/golden.js'
import type { BaseEvent } from '../event/event.js'
import { hostileText } from '../testing/hostile-text.js'
import { allSamples, anyEvent } from '../testing/samples.js'
import { declarations } from '../stream.js'
import { ecsWriter } from './ecs.js'
import { capabilityNames } from './names.js'
import { processOf, TIME_NS } from '../kinds/process/testing/processes.js'
import { assertEcs, CONTEXT, FIELDS, flatten, parse, related, valueAt } from './testing/ecs.js'

const anyProcess = fc.oneof(...allSamples.flatMap(({ anyProcess }) => anyProcess ?? []))

const GOLDEN_FILES = { lean: 'events.ecs.ndjson', full: 'events.ecs-full.ndjson' } as const

for (const document of ['lean', 'full'] as const) {
  for (const { name, folder, golden } of allSamples) {
    test(`ecsWriter() writes every event of the kind ${name} as a ${document} document`, () => {
      const ecs = ecsWriter(catalogue, CONTEXT, { document })
      matchGolden(
        `${folder}/testdata/${GOLDEN_FILES[document]}`,
        golden.map((event) => `${ecs(related(event))}\n`).join(''),
      )
    })
  }
}

test('ecsWriter() writes only fields of ECS, with their types, and its own under quark', () => {
  fc.assert(
    fc.property(anyEvent, fc.array(anyProcess), hostileText, (event, others, name) => {
      const relatives = others.map((p, i) => ({ ...p, pid: i }))
      const context = { ...CONTEXT, userName: () => name, groupName: () => name }
      for (const document of ['lean', 'full'] as const) {
        const line = ecsWriter(catalogue, context, { document })(related(event, relatives))
        assert.doesNotMatch(line, /[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/u)
        for (const [path, value] of flatten(parse(line))) {
          if (!path.startsWith('quark.')) assertEcs(path, value)
        }
      }
    }),
  )
})

test('ecsWriter() uses only the event types that ECS expects of the category', () => {
  for (const event of allSamples.flatMap(({ golden }) => golden)) {
    const document = parse(ecsWriter(catalogue, CONTEXT)(event))
    const [category, ...others] = valueAt(document, 'event.category') as readonly string[]
    assert.deepEqual(others, [])
    const expected = FIELDS['event.category']?.allowed_values?.find(({ name }) => name === category)
    assert.ok(expected?.expected_event_types, category)
    const types = valueAt(document, 'event.type') as readonly string[]
    assert.ok(types.length > 0)
    for (const type of types) assert.ok(expected.expected_event_types.includes(type), type)
  }
})

test('ecsWriter() leaves out the host when it is not given', () => {
  const { userName, groupName } = CONTEXT
  const document = parse(ecsWriter(catalogue, { userName, groupName })({ kind: 'lost', timeNs: 0n }))
  assert.equal(document['host'], undefined)
})

const ALL = 0x1fffeffffffn
const SETS = { capInheritable: 0n, capAmbient: 0n }

test('a lean document has sets of capabilities that are neither all nor nothing, and says which are all', () => {
  const capabilitiesOf = (members: object, context = CONTEXT): unknown[] => {
    const process = processOf({ pid: 7, ...SETS, ...members })
    const document = parse(
      ecsWriter(catalogue, context)({ kind: 'snapshot', timeNs: TIME_NS, process } as BaseEvent),
    )
    return ['process.thread', 'quark.capabilities'].map((path) => valueAt(document, path))
  }
  assert.deepEqual(capabilitiesOf({ capPermitted: ALL, capEffective: ALL, capBounding: ALL }), [
    undefined,
    { all: { permitted: true, effective: true, bounding: true } },
  ])
  assert.deepEqual(capabilitiesOf({ capPermitted: 0n, capEffective: 0n, capBounding: ALL }), [
    undefined,
    { all: { bounding: true } },
  ])
  assert.deepEqual(capabilitiesOf({ capPermitted: 3n, capEffective: 1n, capBounding: ALL & ~1n }), [
    { capabilities: { permitted: ['CAP_CHOWN', 'CAP_DAC_OVERRIDE'], effective: ['CAP_CHOWN'] } },
    { bounding: capabilityNames(ALL & ~1n) },
  ])
  // Nobody knows what is all: a set with names is never wrong.
  const { userName, groupName } = CONTEXT
  assert.deepEqual(
    capabilitiesOf({ capEffective: 1n, capPermitted: 1n, capBounding: 1n }, { userName, groupName }),
    [{ capabilities: { permitted: ['CAP_CHOWN'], effective: ['CAP_CHOWN'] } }, { bounding: ['CAP_CHOWN'] }],
  )
})

test('a lean document has of relatives, and of the host, what identifies them', () => {
  const parent = processOf({
    pid: 1,
    entityId: 'p'.repeat(16),
    comm: 'init',
    exe: '/sbin/init',
    argv: ['init'],
    cwd: '/',
  })
  const process = processOf({ pid: 7, ppid: 1, sid: 1, pgid: 7, uid: 1000, euid: 0, suid: 0, root: '/' })
  const event = related({ kind: 'snapshot', timeNs: TIME_NS, process }, [parent])
  const document = parse(ecsWriter(catalogue, CONTEXT)(event))
  const identity = { pid: 1, entity_id: 'p'.repeat(16), name: 'init', executable: '/sbin/init' }
  assert.deepEqual(valueAt(document, 'process.parent'), identity)
  assert.deepEqual(valueAt(document, 'process.session_leader'), { ...identity, same_as_process: false })
  assert.deepEqual(document['host'], { name: 'web-1', id: '0123456789abcdef0123456789abcdef' })
  assert.deepEqual(valueAt(document, 'process.real_user'), { id: '1000', name: 'ann' })
  assert.equal(valueAt(document, 'process.saved_user'), undefined)
  assert.equal(valueAt(document, 'quark.root'), undefined)
})

test('what a lean document leaves out, the full one of the same event has', () => {
  fc.assert(
    fc.property(anyEvent, fc.array(anyProcess), (event, others) => {
      const about = related(event, others)
      const lean = flatten(parse(ecsWriter(catalogue, CONTEXT)(about)))
      const full = new Map(flatten(parse(ecsWriter(catalogue, CONTEXT, { document: 'full' })(about))))
      for (const [path, value] of lean) {
        // Lines are cut each by their own length.
        if (path.startsWith('quark.capabilities.all.') || path.endsWith('_truncated')) continue
        if (full.get('quark.line_truncated') !== true) assert.deepEqual(full.get(path), value, path)
      }
    }),
  )
})

test('the document that begins a stream has all that is known of the host, in both forms', () => {
  const start = {
    kind: 'start',
    timeNs: TIME_NS,
    version: '1.2.3',
    backend: 'ebpf',
    kernel: '6.12.1',
    options: { holdMs: 5 },
    attached: [{ fact: 'fork', hook: 'tp_btf/sched_process_fork', flavor: 'direct' }],
    missing: [{ fact: 'killers', reason: 'why' }],
    continued: false,
  }
  for (const document of ['lean', 'full'] as const) {
    const written = parse(ecsWriter(declarations, CONTEXT, { document })(start as BaseEvent))
    assert.equal(valueAt(written, 'host.os.name'), 'Debian GNU/Linux')
    assert.equal(valueAt(written, 'event.action'), 'stream-started')
    assert.deepEqual(valueAt(written, 'quark.stream'), {
      version: '1.2.3',
      backend: 'ebpf',
      options: start.options,
      attached: start.attached,
      missing: start.missing,
    })
    const end = { kind: 'end', timeNs: TIME_NS, stats: { lost: 3, lostRingFull: { exec: 3 } } }
    const last = parse(ecsWriter(declarations, CONTEXT, { document })(end as BaseEvent))
    assert.deepEqual(valueAt(last, 'quark.stream.stats'), end.stats)
    for (const one of [written, last]) {
      for (const [path, value] of flatten(one)) if (!path.startsWith('quark.')) assertEcs(path, value)
    }
  }
})
