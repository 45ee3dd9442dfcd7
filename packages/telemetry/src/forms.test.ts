import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { inspect } from 'node:util'
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import { encodeRecord } from 'quark-ebpf/probe'
import { RawEvent } from './event/raw-event.js'
import { fieldsOf } from './event/spec.js'
import { formsOf } from './forms.js'
import { catalogue, type QuarkEvent } from './kinds/index.js'
import { forkLayout } from './kinds/process/records.js'
import { jsonOf } from './outputs.js'
import { processObject } from './process/spec.js'
import type { Process } from './process/process.js'
import { Quark } from './quark.js'
import { allSamples } from './testing/samples.js'

const RECORDING = new URL('../src/recording/testdata/0.1.0.quarkrec', import.meta.url).pathname

let quark: Quark
const events: QuarkEvent[] = []
/** A process of which much is known. */
let killed: Process
before(async () => {
  quark = await Quark.replay(RECORDING)
  for await (const event of quark) events.push(event)
  killed = quark.lookup(111) as Process
})
after(() => quark.close())

/** All that can be written, of every kind that the recording has. */
function everything(): (QuarkEvent | ReturnType<Quark['startEvent']> | ReturnType<Quark['endEvent']>)[] {
  return [quark.startEvent(), ...events, quark.endEvent()]
}

test('JSON.stringify() writes the object of the line', () => {
  for (const event of everything()) {
    assert.deepEqual(JSON.parse(JSON.stringify(event)), JSON.parse(jsonOf(event)), event.kind)
    assert.deepEqual(event.toJSON(), JSON.parse(jsonOf(event)))
  }
  // Also within other objects.
  const [event] = events
  assert.deepEqual(JSON.parse(JSON.stringify({ host: 'a', event })), { host: 'a', event: event?.toJSON() })
})

test('JSON.stringify() writes a process as events have it', () => {
  const event = events.findLast(({ process }) => process?.pid === 111)
  const { process } = JSON.parse(jsonOf(event as QuarkEvent)) as { process: object }
  assert.deepEqual(JSON.parse(JSON.stringify(event?.process)), process)
  assert.equal((JSON.parse(JSON.stringify(killed)) as Process).exitSignal, 9)
  for (const process of quark.processes()) JSON.stringify(process)
})

test('toObject() is a plain copy with all that is known', () => {
  const { process, relatives, ...event } = (
    events.find(({ process }) => process?.pid === 111) as QuarkEvent
  ).toObject() as unknown as Record<string, Record<string, unknown>>
  assert.deepEqual(Object.keys(event).sort(), ['actions', 'kind', 'timeNs'])
  const known = fieldsOf(processObject)
    .map(([name]) => name)
    .filter((name) => (killed as unknown as Record<string, unknown>)[name] !== undefined)
  assert.ok(known.length > 40)
  assert.deepEqual(Object.keys(process as object), known)
  assert.deepEqual(process, killed.toObject())
  assert.equal(process?.['startTimeNs'], killed.startTimeNs)
  assert.deepEqual(process?.['argv'], ['/bin/sh', '-c', 'kill -9 $$'])
  assert.equal((relatives?.['parent'] as Process | undefined)?.comm, 'quark')
  assert.equal(Object.getPrototypeOf(process), Object.prototype)
})

test('a plain copy has the types of its members', () => {
  const event = events.find(({ process }) => process?.pid === 111)
  assert.ok(event?.kind === 'process')
  const plain = event.toObject()
  const signal: number | undefined = plain.process.exitSignal
  const start: bigint | undefined = plain.process.startTimeNs
  const name: string | undefined = plain.relatives?.parent?.comm
  const timeNs: bigint = plain.timeNs
  assert.deepEqual([signal, start, name, timeNs], [9, killed.startTimeNs, 'quark', event.timeNs])
  // @ts-expect-error a copy has no forms
  assert.equal(plain.process.toObject, undefined)
})

test('plain copies can be compared, cloned, sent, spread and written', () => {
  const { port1, port2 } = new MessageChannel()
  for (const event of everything()) {
    const plain = event.toObject()
    assert.deepEqual(event.toObject(), plain)
    assert.deepEqual(structuredClone(plain), plain)
    port1.postMessage(plain)
    assert.deepEqual((receiveMessageOnPort(port2) as { message: unknown }).message, plain)
    assert.deepEqual({ ...plain }, plain)
    // Another thread can write what it was sent.
    assert.equal(jsonOf(structuredClone(plain)), jsonOf(event))
  }
  port1.close()
})

test('what cannot be cloned as it is says what can', () => {
  const { port1 } = new MessageChannel()
  for (const copy of [structuredClone, (value: unknown) => port1.postMessage(value)]) {
    for (const value of [killed, events.find(({ process }) => process !== undefined)]) {
      assert.throws(() => copy(value), { name: 'DataCloneError', message: /toObject\(\)/ })
    }
  }
  port1.close()
  // All of it is in the copy.
  assert.equal(structuredClone(quark.endEvent()).stats.insertions, quark.stats().insertions)
})

test('spread copies the members of an event', () => {
  for (const event of events) {
    const copy: Record<string, unknown> = { ...event }
    for (const name of Object.keys(event.toObject())) {
      assert.equal(copy[name], (event as unknown as Record<string, unknown>)[name], `${event.kind}.${name}`)
    }
  }
})

test('console.log() shows what is known, under the names of the types, and relatives in brief', () => {
  const event = events.find(({ process }) => process?.pid === 111) as QuarkEvent
  const shown = inspect(event)
  assert.match(
    shown,
    /^ProcessEvent \{\n {2}kind: 'process',\n {2}timeNs: \d+n,\n {2}actions: \[ 'fork', 'exec', 'exit' \],/,
  )
  assert.match(shown, /\n {4}exitSignal: 9,\n/)
  assert.match(
    shown,
    /\n {2}relatives: \{\n {4}parent: \{ pid: 99, entityId: 'YwAAAB0l49ApAAAA', comm: 'quark' \},\n {4}entryLeader: \{ pid: 1, .*\}\n {2}\}\n\}$/,
  )
  assert.doesNotMatch(shown, /startLo|uncloneable|argvBytes|undefined/)
  assert.match(inspect(killed), /^Process \{\n {2}pid: 111,\n/)
  assert.match(inspect(quark.startEvent()), /^StartEvent \{\n {2}kind: 'start',/)
  for (const one of everything()) assert.doesNotMatch(inspect(one, { depth: null }), /undefined/)
})

for (const { name, golden } of allSamples) {
  test(`every event of the kind ${name} has the forms, and hides them`, () => {
    for (const sample of golden) {
      const event = formsOf(catalogue)({ ...sample }) as QuarkEvent
      assert.deepEqual(event.toJSON(), JSON.parse(jsonOf(event)), event.kind)
      const members = Object.entries(sample).filter(([, value]) => value !== undefined)
      assert.deepEqual(Object.keys(event.toObject()).sort(), members.map(([name]) => name).sort())
      assert.deepEqual(Object.keys(event), Object.keys(sample))
    }
  })
}

test('a raw record has the forms', () => {
  const bytes = encodeRecord(forkLayout, { cpu: 0, seq: 1, timeNs: 5n }, { pid: 7 })
  const event = formsOf(catalogue)(new RawEvent('fork', forkLayout, bytes, 100n))
  assert.deepEqual(event.toObject(), {
    kind: 'raw',
    timeNs: 105n,
    name: 'fork',
    bytes: new Uint8Array(bytes),
  })
  assert.deepEqual(event.toJSON(), JSON.parse(jsonOf(event)))
  assert.throws(() => structuredClone(event), { name: 'DataCloneError', message: /toObject\(\)/ })
})
