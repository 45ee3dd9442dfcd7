import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EXEC_SHIFT, ID_CHANGE_SHIFT, completedBy, RecordIdentity, SNAPSHOT_SHIFT } from './identity.js'
import { HAS_CAPS, HAS_COMM, HAS_IDENTITY, HAS_IDS } from '../../process/known.js'
import { execLayout, forkLayout, idChangeLayout, snapshotLayout } from './records.js'
import type { Identity } from '../../process/identity.js'
import { record } from '../../testing/process-records.js'

/** Every field has another value, so that none can be taken for another. */
const values = {
  uid: 1,
  euid: 2,
  suid: 3,
  gid: 4,
  egid: 5,
  sgid: 0xffffffff,
  capInheritable: 0x1_0000_0001n,
  capPermitted: 0x1_0000_0002n,
  capEffective: 0x1ff_ffff_ffffn,
  capBounding: 0xffff_ffff_ffff_ffffn,
  capAmbient: 0x1_0000_0005n,
  ttyMajor: 136,
  ttyMinorStart: 20,
  ttyIndex: 3,
  utsNs: 4026531838,
  ipcNs: 4026531839,
  mntNs: 4026531840,
  netNs: 4026531992,
  userNs: 4026531837,
  pidNs: 4026531836,
  cgroupNs: 4026531835,
  timeNs: 4026531834,
  loginUid1: 1001,
  auditSession1: 0xffffffff,
  comm: 'fifteen-letters',
}
const facts = {
  ...(({ ttyMinorStart: _start, ttyIndex: _index, loginUid1: _login, auditSession1: _session, ...others }) =>
    others)(values),
  ttyMinor: 23,
  loginUid: 1000,
  auditSession: 0xfffffffe,
}

function factsOf(identity: Identity): Record<string, unknown> {
  return Object.fromEntries(Object.keys(facts).map((name) => [name, identity[name as keyof typeof facts]]))
}

test('the identity is laid out alike in all records that have one', () => {
  const fields = Object.keys(forkLayout.at).slice(Object.keys(forkLayout.at).indexOf('startBootNs'), -2)
  assert.ok(fields.includes('cgroupId'))
  for (const [layout, shift] of [
    [execLayout, EXEC_SHIFT],
    [idChangeLayout, ID_CHANGE_SHIFT],
    [snapshotLayout, SNAPSHOT_SHIFT],
  ] as const) {
    const at = layout.at as unknown as Record<string, number>
    const expected = fields.map((name) => [name, (forkLayout.at as Record<string, number>)[name]])
    assert.deepEqual(
      fields.map((name) => [name, (at[name] as number) - shift]),
      expected,
    )
    assert.equal(shift % 4, 0)
  }
})

test('an identity reads every fact of its record', async (t) => {
  const known = HAS_IDENTITY
  const cases = [
    { name: 'fork', bytes: record('fork', 1, values), shift: 0 },
    { name: 'exec', bytes: record('exec', 1, values), shift: EXEC_SHIFT },
    { name: 'idChange', bytes: record('idChange', 1, values), shift: ID_CHANGE_SHIFT },
    { name: 'snapshot', bytes: record('snapshot', 1, values), shift: SNAPSHOT_SHIFT },
  ]
  for (const { name, bytes, shift } of cases) {
    await t.test(name, () => {
      const text = Buffer.from(bytes).toString('latin1')
      assert.deepEqual(factsOf(new RecordIdentity(text, shift, known)), facts)
    })
  }
})

test('what a snapshot does not know is undefined', () => {
  const text = Buffer.from(record('snapshot', 1, values)).toString('latin1')
  const none = Object.fromEntries(Object.keys(facts).map((name) => [name, undefined]))
  assert.deepEqual(factsOf(new RecordIdentity(text, SNAPSHOT_SHIFT, 0)), none)
  const comm = factsOf(new RecordIdentity(text, SNAPSHOT_SHIFT, HAS_COMM))
  assert.deepEqual(comm, { ...none, comm: values.comm })
})

test('a namespace of 0 is one that could not be read', () => {
  const text = Buffer.from(record('fork', 1, { ...values, netNs: 0 })).toString('latin1')
  assert.equal(new RecordIdentity(text, 0, HAS_IDENTITY).netNs, undefined)
})

test('what a record does not know stays as it was known before', () => {
  const text = Buffer.from(record('fork', 1, values)).toString('latin1')
  const before = new RecordIdentity(text, 0, HAS_IDENTITY)
  const later = Buffer.from(
    record('idChange', 2, { ...values, uid: 4711, comm: 'later', netNs: 1 }),
  ).toString('latin1')
  const ids = completedBy(new RecordIdentity(later, ID_CHANGE_SHIFT, HAS_IDS), before, HAS_CAPS)
  const noCaps = Object.fromEntries(
    Object.keys(facts)
      .filter((name) => name.startsWith('cap'))
      .map((name) => [name, undefined]),
  )
  assert.deepEqual(factsOf(ids), { ...facts, ...noCaps, uid: 4711 })
})
