import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { BaseEvent } from '../event/event.js'
import { catalogue } from '../kinds/index.js'
import { anyProcess } from '../kinds/process/testing/arbitraries.js'
import { KILLED_SHELL, processOf, TIME_NS } from '../kinds/process/testing/processes.js'
import type { Process } from '../process/process.js'
import type { Relatives } from '../process/relatives.js'
import { ecsWriter } from './ecs.js'
import { jsonWriter } from './json.js'
import { CONTEXT, parse, related, valueAt } from './testing/ecs.js'

interface Event extends BaseEvent {
  readonly process: Process
  readonly relatives?: Relatives
}

function snapshotOf(process: Process, relatives?: Relatives): Event {
  const event = { kind: 'snapshot', timeNs: TIME_NS, process }
  return relatives === undefined ? event : { ...event, relatives }
}

/** Processes that differ from one of few in few values. */
const alike = fc
  .tuple(
    fc.array(anyProcess, { minLength: 1, maxLength: 2 }),
    fc.array(anyProcess, { minLength: 1, maxLength: 6 }),
  )
  .chain(([models, others]) =>
    fc.tuple(
      ...others.map((other) =>
        fc
          .tuple(
            fc.constantFrom(...models),
            fc.subarray(Object.keys(other) as (keyof Process)[], { maxLength: 2 }),
          )
          .map(([model, changed]): Process => {
            const changes = Object.fromEntries(changed.map((key) => [key, other[key]]))
            return Object.assign({}, model, changes)
          }),
      ),
    ),
  )

test('what was written before an event does not show in its line', () => {
  fc.assert(
    fc.property(alike, fc.boolean(), (processes, isSibling) => {
      const json = jsonWriter(catalogue)
      const ecs = ecsWriter(catalogue, CONTEXT)
      const full = ecsWriter(catalogue, CONTEXT, { document: 'full' })
      const parents = processes.map((process, pid) => ({ ...process, pid }))
      const shared = related(snapshotOf(processes[0] as Process), parents).relatives
      for (const process of processes) {
        const event = isSibling ? snapshotOf(process, shared) : related(snapshotOf(process), parents)
        assert.equal(json(event), jsonWriter(catalogue)(event))
        assert.equal(ecs(event), ecsWriter(catalogue, CONTEXT)(event))
        assert.equal(full(event), ecsWriter(catalogue, CONTEXT, { document: 'full' })(event))
      }
    }),
  )
})

test('a user who is renamed has the new name in the next event', () => {
  let name: string | undefined = 'ann'
  const context = { userName: () => name, groupName: () => name }
  const ecs = ecsWriter(catalogue, context, { document: 'full' })
  for (const now of ['ann', 'eve', undefined, 'x'.repeat(300), 'x'.repeat(300)]) {
    name = now
    const document = parse(ecs(snapshotOf(KILLED_SHELL)))
    for (const place of ['process.user', 'process.real_user', 'process.saved_group', 'user', 'user.group']) {
      assert.equal(valueAt(document, `${place}.name`), now, place)
    }
  }
})

test('siblings have their own ids of relatives that are not known', () => {
  const relatives = {}
  const ecs = ecsWriter(catalogue, CONTEXT)
  for (const sid of [7, 8, 8, 7]) {
    const document = parse(ecs(snapshotOf(processOf({ pid: 9, ppid: 1, sid }), relatives)))
    assert.equal(valueAt(document, 'process.session_leader.pid'), sid)
  }
})

test('a line whose inherited values are long is bounded again and again', () => {
  const process = processOf({ pid: 3, root: '\u0001'.repeat(3000), cgroup: '\u0001'.repeat(3000), argv: [] })
  for (const write of [
    jsonWriter(catalogue, 16_384),
    ecsWriter(catalogue, CONTEXT, { document: 'full', maxBytes: 16_384 }),
  ]) {
    const [first, second] = [write(snapshotOf(process)), write(snapshotOf(process))]
    assert.equal(first, second)
    assert.ok(Buffer.byteLength(first) <= 16_384)
    assert.equal(write.truncatedLines, 2)
  }
})

test('what is inherited is written once for events in which it is the same', () => {
  const executable = {
    device: 1,
    inode: 2n,
    generation: 3,
    sizeBytes: 4,
    modifiedNs: 5n,
    memfd: false,
    deleted: false,
    replaced: false,
    script: undefined,
    sha256: 'f'.repeat(64),
    unread: undefined,
    package: undefined,
    scriptPackage: undefined,
  }
  for (const document of ['lean', 'full'] as const) {
    let readCount = 0
    const container = {
      id: 'a'.repeat(64),
      runtime: 'docker',
      get name(): string {
        readCount += 1
        return 'web'
      },
    } as NonNullable<Process['container']>
    const process = processOf({ pid: 3, container, executable, containerUser: 'www' })
    const ecs = ecsWriter(catalogue, CONTEXT, { document })
    const lines = [3, 4, 5].map((pid) => ecs(snapshotOf({ ...process, pid })))
    assert.equal(readCount, 1, document)
    for (const line of lines) {
      assert.equal(valueAt(parse(line), 'container.name'), 'web')
      assert.deepEqual(valueAt(parse(line), 'related.hash'), [executable.sha256])
    }
  }
})
