import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ownSpecs } from '../event/own-specs.js'
import type { EventSpec } from '../event/spec.js'
import { record, type RecordLayout, u32 } from 'quark-ebpf/probe'
import { coreOptions } from '../options/declare.js'
import { catalogueOf } from './catalogue.js'
import { processObject } from '../process/spec.js'
import type { Kind, ProcessList } from './kind.js'
import { bareKind } from './testing/bare-kind.js'

function layout(type: number): RecordLayout {
  return record(type, 'toy', { pid: u32 })
}

function kind(name: string, number: number, parts: Partial<Kind> = {}): Kind {
  return bareKind(name, number, { options: {}, ...parts })
}

const apply = () => undefined
const seen: EventSpec = { kind: 'seen', doc: 'Something was seen', subject: () => 0, fields: {} }
const counted = (kind: string): EventSpec => ({
  ...seen,
  kind,
  summary: { counts: [{ at: 'all.seen', doc: 'that were seen', of: () => 1, text: 'seen' }] },
})
const toys: ProcessList = {
  name: 'toys',
  doc: 'toys of the process',
  object: { name: 'toy', doc: 'A toy', fields: {} },
  ecs: 'quark.toys',
  finder: () => undefined,
}
const flag = { type: 'flag', default: false } as const

test('catalogueOf() combines kinds', () => {
  const first = kind('first', 20, {
    options: { some: flag },
    records: [{ name: 'a', layout: layout(20), apply }],
    events: [seen],
  })
  const second = kind('second', 21, { records: [{ name: 'b', layout: layout(21), apply }] })
  const { kinds, recordTypes, options, events } = catalogueOf([first, second])
  assert.deepEqual(kinds, [first, second])
  assert.deepEqual(
    recordTypes.map(({ name }) => name),
    ['a', 'b'],
  )
  assert.deepEqual(Object.keys(options), [
    ...Object.keys(coreOptions),
    'rules',
    'where',
    'excludePids',
    'some',
  ])
  assert.deepEqual(events, [seen, ...ownSpecs])
})

test('catalogueOf() refuses kinds that share a name, and says which', () => {
  const clashes: [parts: [Partial<Kind>, Partial<Kind>], clash: string][] = [
    [[{}, { name: 'one' }], 'name "one"'],
    [[{}, { number: 20 }], 'number "20"'],
    [[{ options: { some: flag } }, { options: { some: flag } }], 'option "some"'],
    [[{ events: [seen] }, { events: [seen] }], 'event "seen"'],
    [[{ processLists: [toys] }, { processLists: [toys] }], 'list of processes "toys"'],
    [[{ events: [counted('a')] }, { events: [counted('b')] }], 'member of a summary "all"'],
    [
      [
        { records: [{ name: 'a', layout: layout(20), apply }] },
        { records: [{ name: 'a', layout: layout(21), apply }] },
      ],
      'record "a"',
    ],
    [
      [
        { records: [{ name: 'a', layout: layout(20), apply }] },
        { records: [{ name: 'b', layout: layout(20), apply }] },
      ],
      'record type "20"',
    ],
  ]
  for (const [[a, b], clash] of clashes) {
    const two = kind('two', 21, b)
    assert.throws(() => catalogueOf([kind('one', 20, a), two]), {
      name: 'RangeError',
      message: `Kinds "one" and "${two.name}" both have the ${clash}: rename one`,
    })
  }
})

test('events with a process have the lists of all kinds, and others have none', () => {
  const process: EventSpec = {
    ...seen,
    kind: 'withProcess',
    fields: { process: { type: 'object', object: processObject, doc: 'the process' } },
  }
  const first = kind('first', 20, { events: [seen, process] })
  const { events } = catalogueOf([first, kind('second', 21, { processLists: [toys] })])
  assert.deepEqual(
    events.filter(({ fields }) => 'toys' in fields).map((spec) => spec.kind),
    ['withProcess'],
  )
  const clash = {
    ...process,
    fields: { ...process.fields, toys: { type: 'number', doc: 'how many' } },
  } as EventSpec
  assert.throws(() => catalogueOf([kind('one', 20, { events: [clash], processLists: [toys] })]), {
    name: 'RangeError',
    message: 'A list of processes has the name of a field of the event "withProcess": toys',
  })
})
