import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { catalogue } from '../kinds/index.js'
import { anyProcess } from '../kinds/process/testing/arbitraries.js'
import { INIT, KILLED_SHELL, processOf, TIME_NS } from '../kinds/process/testing/processes.js'
import type { Process } from '../process/process.js'
import { matchGolden } from '../testing/golden.js'
import { allSamples, anyEvent } from '../testing/samples.js'
import { jsonWriter } from './json.js'
import type { MachineNames } from './line.js'

const NAMES: Readonly<Record<number, string>> = { 0: 'root', 1000: 'al"ice', 1001: 'staff' }
const nameOf = (id: number): string | undefined => NAMES[id]
const jsonOf = jsonWriter(catalogue, undefined, { userName: nameOf, groupName: nameOf })

/** What a number is called is beside it, and no member of events. */
function isName(member: string): boolean {
  return /(?:[ug]id|Uid|Signal|errno|cap[A-Z]\w+)Names?$/.test(member)
}

for (const { name, folder, golden } of allSamples) {
  test(`jsonWriter() writes every event of the kind ${name}`, () => {
    matchGolden(`${folder}/testdata/events.ndjson`, golden.map((event) => `${jsonOf(event)}\n`).join(''))
  })
}

test('jsonWriter() leaves out what is unknown', () => {
  const event = { kind: 'snapshot', timeNs: TIME_NS, process: processOf({ pid: 3 }) }
  assert.equal(
    jsonOf(event),
    '{"kind":"snapshot","time":"2026-01-02T03:04:05.000000006Z","process":{"pid":3}}',
  )
})

test('jsonWriter() writes any event as one line that a terminal can show', () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      const line = jsonOf(event)
      assert.doesNotMatch(line, /[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/u)
      assert.equal((JSON.parse(line) as { kind: string }).kind, event.kind)
    }),
  )
})

test('jsonWriter() writes every member of a process that is known', () => {
  fc.assert(
    fc.property(anyProcess, (process) => {
      const event = { kind: 'snapshot', timeNs: TIME_NS, process }
      const written = Object.keys((JSON.parse(jsonOf(event)) as { process: object }).process)
      const known = Object.entries(process)
        .filter(([, value]) => value !== undefined && value !== false)
        .map(([name]) => name.replace(/TimeNs$/, 'Time'))
      assert.deepEqual(written.filter((name) => !isName(name)).sort(), known.sort())
    }),
  )
})

test('jsonWriter() refuses an event that nobody declared', () => {
  assert.throws(() => jsonOf({ kind: 'surprise', timeNs: 0n }), /not declared: surprise/)
})

/** The members of one process in a line. */
function written(process: Partial<Process>, names?: MachineNames): Record<string, unknown> {
  const write = jsonWriter(catalogue, undefined, names)
  const event = { kind: 'snapshot', timeNs: TIME_NS, process: processOf({ pid: 3, ...process }) }
  return (JSON.parse(write(event)) as { process: Record<string, unknown> }).process
}

test('jsonWriter() names users, groups, signals and capabilities, if they have names', () => {
  const names = { userName: () => 'alice', groupName: (gid: number) => (gid === 5 ? 'staff' : undefined) }
  assert.deepEqual(written({ uid: 7, gid: 5, egid: 6, loginUid: 7, exitSignal: 9 }, names), {
    pid: 3,
    uid: 7,
    uidName: 'alice',
    gid: 5,
    gidName: 'staff',
    egid: 6,
    loginUid: 7,
    loginUidName: 'alice',
    exitSignal: 9,
    exitSignalName: 'SIGKILL',
  })
  assert.deepEqual(written({ exitSignal: 34 }), { pid: 3, exitSignal: 34 })
  const { capEffectiveNames, capPermittedNames, capAmbientNames } = written({
    capPermitted: 0x1ff_ffff_ffffn,
    capEffective: (1n << 13n) | 1n,
    capAmbient: 0n,
  })
  assert.deepEqual(capEffectiveNames, ['CAP_CHOWN', 'CAP_NET_RAW'])
  assert.deepEqual([capPermittedNames, capAmbientNames], [undefined, undefined])
  // A machine that has given up one: that is all for it.
  const host = { capabilities: '0x000001fffeffffff' }
  const all = written({ capEffective: 0x1ff_feff_ffffn, capBounding: 0x1ff_ffff_fffen }, { ...names, host })
  assert.equal(all['capEffectiveNames'], undefined)
  assert.equal((all['capBoundingNames'] as string[]).length, 40)
})

test('jsonWriter() writes durations as numbers, unless they are not exact', () => {
  assert.equal(written({ durationNs: 1_500_000n })['durationNs'], 1_500_000)
  assert.equal(written({ durationNs: (1n << 53n) - 1n })['durationNs'], 2 ** 53 - 1)
  assert.equal(written({ durationNs: 1n << 53n })['durationNs'], '9007199254740992')
})

test('jsonWriter() says who the parent is, of each event', () => {
  const parents = [INIT, KILLED_SHELL, KILLED_SHELL, undefined, INIT]
  const lines = parents.map((parent) => {
    const event = { kind: 'snapshot', timeNs: TIME_NS, process: processOf({ pid: 3 }), relatives: { parent } }
    return (JSON.parse(jsonOf(event)) as { parent?: unknown }).parent
  })
  const init = { pid: 1, entityId: INIT.entityId, comm: 'init' }
  const shell = { pid: 4242, entityId: KILLED_SHELL.entityId, comm: KILLED_SHELL.comm }
  assert.deepEqual(lines, [init, shell, shell, undefined, init])
})
