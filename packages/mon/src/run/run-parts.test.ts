import assert from 'node:assert/strict'
import test from 'node:test'
import type { Capabilities, Process, QuarkEvent } from 'quark-telemetry'
import { execOf, statsOf } from '../testing/fakes.js'
import { environmentWith, lastArguments } from './environment.js'
import { stringTables } from './string-tables.js'
import { Tally } from './tally.js'
import { onProcessesEnd, onTreeEnd } from './tree-end.js'
import { commandUser } from './user.js'
import { endingOf, stopSignalOf } from './wait-status.js'

const NO_USER = 3_999_999_999

test('strings lie behind tables of pointers to them, which end with a null pointer', () => {
  const { sizeBytes, place } = stringTables([
    [Buffer.from('ab\0'), Buffer.from('c\0')],
    [],
    [Buffer.from('\0')],
  ])
  const { bytes, tables } = place(4096n)
  assert.equal(bytes.length, sizeBytes)
  const words = [...new BigUint64Array(Uint8Array.from(bytes.subarray(0, 48)).buffer)].map(Number)
  assert.deepEqual(words, [4144, 4147, 0, 0, 4149, 0])
  assert.equal(Buffer.from(bytes.subarray(48)).toString(), 'ab\0c\0\0')
  assert.deepEqual(tables, [
    { address: 4096n, strings: [4144n, 4147n] },
    { address: 4120n, strings: [] },
    { address: 4128n, strings: [4149n] },
  ])
})

test('statuses of wait(2) are exit statuses, signals and stops', () => {
  assert.deepEqual(endingOf(0x0300), { code: 3, signal: null })
  assert.deepEqual(endingOf(9), { code: null, signal: 9 })
  assert.deepEqual(endingOf(0x80 | 6), { code: null, signal: 6 })
  assert.equal(stopSignalOf(0x137f), 19)
  assert.equal(stopSignalOf(0x7f00), undefined)
})

test('the user is the one who called sudo, with what sudo has changed put back', () => {
  const environment = { SUDO_UID: '1', SUDO_GID: '12', SUDO_USER: 'x', HOME: '/root', MAIL: '/var/mail/root' }
  const user = commandUser(undefined, environment, 0)
  assert.equal(user?.uid, 1)
  assert.equal(user.gid, 12)
  assert.ok(user.groups.includes(12))
  const { environment: set } = user
  assert.deepEqual([set['USER'], set['LOGNAME'], set['MAIL']], ['daemon', 'daemon', '/var/mail/daemon'])
  assert.notEqual(set['HOME'], '/root')
  assert.ok('SUDO_UID' in set && set['SUDO_UID'] === undefined)
  const kept = commandUser(undefined, { ...environment, HOME: '/home/own' }, 0)
  assert.ok(!('HOME' in (kept?.environment ?? {})))
  const nameless = commandUser(undefined, { SUDO_UID: `${NO_USER}`, SUDO_GID: '5' }, 0)
  assert.deepEqual([nameless?.uid, nameless?.gid, nameless?.groups], [NO_USER, 5, [5]])
})

test('the user stays when nobody called sudo, or root did; who cannot be known is refused', () => {
  assert.equal(commandUser(undefined, {}, 0), undefined)
  assert.equal(commandUser(undefined, { SUDO_UID: '0', SUDO_GID: '0' }, 0), undefined)
  const refused = { message: /^Cannot know who called sudo: SUDO_UID is "/, status: 125 }
  for (const text of [undefined, '', '-1', '1.5', 'daemon', '4294967295', '99999999999']) {
    assert.throws(() => commandUser(undefined, { SUDO_UID: text, SUDO_GID: '1' }, 0), refused)
    assert.throws(() => commandUser(undefined, { SUDO_UID: '1', SUDO_GID: text }, 0), refused)
    assert.equal(commandUser('root', { SUDO_UID: text, SUDO_GID: '1' }, 0), undefined)
  }
  assert.equal(commandUser(undefined, { SUDO_UID: '1', SUDO_GID: '1' }, 1000), undefined)
})

test('--as names a user or a number, and is for root', () => {
  assert.equal(commandUser('root', { SUDO_UID: '1', SUDO_GID: '1' }, 0), undefined)
  assert.equal(commandUser('daemon', {}, 0)?.uid, 1)
  assert.equal(commandUser('1', {}, 0)?.environment['USER'], 'daemon')
  assert.equal(commandUser(`${NO_USER}`, {}, 0)?.uid, NO_USER)
  assert.throws(
    () => commandUser('no such user', {}, 0),
    /Cannot run the command as "no such user": there is no such/,
  )
  assert.throws(() => commandUser('daemon', {}, 1000), /only root may/)
})

test('the environment is that of the start, byte by byte, with what is set', () => {
  const changed = environmentWith({ PATH: undefined, QUARK_TEST: 'x y' }).map((bytes) =>
    bytes.toString('latin1'),
  )
  assert.ok(changed.includes('QUARK_TEST=x y\0'))
  assert.ok(!changed.some((text) => text.startsWith('PATH=') || text.startsWith('QUARK_MON_START=')))
  assert.ok(changed.every((text) => text.endsWith('\0')))
})

test('arguments that are not the last ones of this process are written anew', () => {
  assert.deepEqual(lastArguments(['a', 'ü']), [Buffer.from('a\0'), Buffer.from('ü\0')])
})

const FORK = { ...execOf({ pid: 5 }), actions: ['fork', 'exec'] } as QuarkEvent
const CAPABILITIES: Capabilities = { backend: 'ebpf', kernel: '6', attached: [], missing: [] }

test('the sentence at the end compares what the kernel counted with what was seen', () => {
  const tally = new Tally()
  tally.add(FORK)
  tally.add(execOf({ pid: 5 }))
  const said = (produced: number, lost = 0, more: { comm?: string; untracked?: number } = {}): string =>
    tally
      .treeText(statsOf({ produced: { fork: produced }, lost, ...more }), {
        capabilities: CAPABILITIES,
        where: { treeOf: 1, ...(more.comm === undefined ? {} : { comm: more.comm }) },
      })
      .replace(/in \S+,/, 'in T,')
  assert.equal(said(1), 'quark-mon: 1 process created in T, and seen; nothing was lost\n')
  assert.equal(
    said(1234, 1),
    'quark-mon: 1,234 processes created in T, and 1 of them seen; 1 record was lost\n',
  )
  assert.match(
    said(1, 0, { untracked: 2 }),
    /; 2 processes too many to follow, and their descendants, are not counted\n$/,
  )
  assert.equal(
    said(3, 0, { comm: 'a' }),
    'quark-mon: 3 processes created in T, and 1 of them shown; nothing was lost\n',
  )
  tally.add(FORK)
  assert.equal(said(2), 'quark-mon: 2 processes created in T, and all seen; nothing was lost\n')
  assert.match(
    tally.text(statsOf({ lost: 3 })),
    /^quark-mon: 2 processes began in \S+; 3 records were lost\n$/,
  )
})

test('a backend that does not count what is created says so', () => {
  const tally = new Tally()
  const missing = [{ fact: 'filtersInKernel', reason: 'it cannot' }]
  for (const capabilities of [
    { ...CAPABILITIES, backend: 'audit' },
    { ...CAPABILITIES, missing },
  ]) {
    assert.match(
      tally.treeText(statsOf(), { capabilities, where: undefined }),
      /how many were created is not known: \w+ does not count/,
    )
  }
})

/** Waits until something has happened so often. */
async function until(list: readonly unknown[], count: number): Promise<void> {
  while (list.length < count) await new Promise((resolve) => setTimeout(resolve, 10))
}

test('a run with processes ends when all of them have ended', async () => {
  const living = new Map([7, 8].map((pid) => [pid, execOf({ pid, entityId: `${pid}` }).process]))
  const lookup = (pid: number): Process | undefined => living.get(pid)
  const ended: string[] = []
  const tree = { treeSize: () => 2, lookup, stats: statsOf }
  const stops = [
    onProcessesEnd(tree, [7, 8], () => ended.push('both')),
    onProcessesEnd(tree, [7], () => ended.push('one')),
    onProcessesEnd(tree, [9], () => ended.push('unknown')),
  ]
  living.set(7, execOf({ pid: 7, entityId: '7', exitTimeNs: 1n }).process)
  await until(ended, 1)
  // Another process has its pid.
  living.set(8, execOf({ pid: 8, entityId: 'other' }).process)
  await until(ended, 2)
  assert.deepEqual(ended, ['one', 'both'])
  for (const stop of stops) stop()
})

test('a run with a tree ends when all that was counted was seen, and none of it lives', async () => {
  let size = 1
  let isCaughtUp = false
  const looks: number[] = []
  const ended: string[] = []
  const tree = {
    treeSize: () => {
      looks.push(size)
      return size
    },
    lookup: () => undefined,
    stats: () => statsOf({ buffered: 1 }),
  }
  onTreeEnd(tree, { others: 1, isCaughtUp: () => isCaughtUp }, () => ended.push('all'))
  const looked = async (): Promise<void> => {
    await until(looks, looks.length + 2)
  }
  // What is held may be a fork.
  await looked()
  size = 2
  isCaughtUp = true
  await looked()
  assert.deepEqual(ended, [])
  size = 1
  await until(ended, 1)
})

test('where forks are not counted, a tree is over when nothing is held and nothing lives for a while', async () => {
  const ended: string[] = []
  const tree = { treeSize: () => 0, lookup: () => undefined, stats: statsOf }
  onTreeEnd(tree, { others: 0, isCaughtUp: () => false }, () => ended.push('all'))
  await until(ended, 1)
})
