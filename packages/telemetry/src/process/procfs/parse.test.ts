import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { parseCgroup, parseNamespace, parseStat, parseStatus } from './parse.js'

/** A line of /proc/PID/stat; fields 3 to 24. */
function statLine(comm: string, changes: Record<number, string | number> = {}): string {
  const fields = 'S 7 8 9 34816 9 4194304 97 0 0 0 1 2 0 0 20 0 3 0 173171 3133440 358'.split(' ')
  for (const [field, value] of Object.entries(changes)) fields[Number(field) - 3] = String(value)
  return `42 (${comm}) ${fields.join(' ')}\n`
}

test('parseStat() reads the fields behind the name', () => {
  assert.deepEqual(parseStat(statLine('cat')), {
    comm: 'cat',
    ended: false,
    leaderEnded: false,
    ppid: 7,
    pgid: 8,
    sid: 9,
    ttyMajor: 136,
    ttyMinor: 0,
    kernelThread: false,
    startBootNs: 1_731_710_000_000n,
  })
})

test('parseStat() takes any name', () => {
  for (const comm of [') (', 'a) S 1 (b', 'x\ny', '', '\xff\xfe', '42 (cat) S']) {
    assert.equal(parseStat(statLine(comm))?.comm, comm)
  }
  assert.equal(parseStat(statLine('kworker/0:1-events_freezable'))?.comm, 'kworker/0:1-eve')
})

test('parseStat() decodes terminals, kernel threads and zombies', () => {
  const pick = (changes: Record<number, string | number>) => parseStat(statLine('a', changes))
  const tty = (number: number) => [pick({ 7: number })?.ttyMajor, pick({ 7: number })?.ttyMinor]
  assert.deepEqual(tty(0), [0, 0])
  assert.deepEqual(tty((4 << 8) | 1), [4, 1])
  assert.deepEqual(tty((136 << 8) | 0x34 | (0x12 << 20)), [136, 0x1234])
  // Printed as a signed number.
  assert.deepEqual(tty((0xfff << 8) | 0xff | (0xfff << 20)), [0xfff, 0xfffff])

  assert.equal(pick({ 9: 2129984 })?.kernelThread, true)
  assert.deepEqual([pick({ 3: 'Z', 20: 1 })?.ended, pick({ 3: 'Z', 20: 1 })?.leaderEnded], [true, true])
  assert.deepEqual([pick({ 3: 'Z', 20: 2 })?.ended, pick({ 3: 'Z', 20: 2 })?.leaderEnded], [false, true])
})

test('parseStat() refuses what is cut or something else', () => {
  const start = statLine('cat').indexOf('173171')
  const cases = [
    '',
    '42',
    '42 (cat',
    '42 )cat(',
    statLine('cat').slice(0, start + 4),
    statLine('cat', { 4: 'x' }),
  ]
  for (const text of cases) assert.equal(parseStat(text), undefined, text)
})

const STATUS = [
  'Name:\ta\\nUid:\\t9',
  'Umask:\t0022',
  'Uid:\t1000\t1001\t4294967294\t1001',
  'Gid:\t100\t101\t102\t101',
  'CapInh:\t0000000000000000',
  'CapPrm:\t000001ffffffffff',
  'CapEff:\t0000000000000001',
  'CapBnd:\tffffffffffffffff',
  'CapAmb:\t0000000000000002',
  '',
].join('\n')

test('parseStatus() reads ids and capabilities', () => {
  assert.deepEqual(parseStatus(STATUS), {
    uid: 1000,
    euid: 1001,
    suid: 4294967294,
    gid: 100,
    egid: 101,
    sgid: 102,
    capInheritable: 0n,
    capPermitted: 0x1ff_ffff_ffffn,
    capEffective: 1n,
    capBounding: 0xffff_ffff_ffff_ffffn,
    capAmbient: 2n,
  })
})

test('parseStatus() refuses what is cut or something else', () => {
  const cases = [
    '',
    STATUS.slice(0, -1),
    STATUS.replace('1001\t', ''),
    STATUS.replace('CapEff', 'CapEfg'),
    STATUS.replace('CapEff:\t0', 'CapEff:\tg'),
  ]
  for (const text of cases) assert.equal(parseStatus(text), undefined, text)
})

test('parseNamespace() reads the inode number', () => {
  assert.equal(parseNamespace('uts:[4026531838]'), 4026531838)
  for (const text of ['', 'uts', 'uts:[]', '/proc/1/ns/uts']) assert.equal(parseNamespace(text), undefined)
})

test('parseCgroup() finds the line of a hierarchy', () => {
  const v1 = '9:name=systemd:/user\n8:cpu,pids:/a/b:c\n4:memory:/m\n'
  const cases = [
    { name: 'v2', text: '0::/init.scope\n', unified: '/init.scope', pids: undefined },
    { name: 'v1', text: v1, unified: undefined, pids: '/a/b:c' },
    { name: 'hybrid', text: `${v1}0::/u\n`, unified: '/u', pids: '/a/b:c' },
    { name: 'names of hierarchies', text: '3:name=pids:/x\n', unified: undefined, pids: undefined },
    { name: 'a name that looks like a line', text: '8:pids:/0::/x\n', unified: undefined, pids: '/0::/x' },
    { name: 'nothing', text: '', unified: undefined, pids: undefined },
  ]
  for (const { name, text, unified, pids } of cases) {
    assert.equal(parseCgroup(text, 'unified')?.path, unified, name)
    assert.equal(parseCgroup(text, 'pids')?.path, pids, name)
  }
  assert.equal(parseCgroup(v1, 'pids')?.hierarchyId, 8)
})

test('no text makes a parser throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.nat(400), (noise, at) => {
      for (const text of [noise, statLine(noise), STATUS.slice(0, at) + noise, `0:${noise}:/`]) {
        parseStat(text)
        parseStatus(text)
        parseNamespace(text)
        parseCgroup(text, 'unified')
      }
    }),
  )
})
