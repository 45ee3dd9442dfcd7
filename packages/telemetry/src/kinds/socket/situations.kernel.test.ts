/** Every situation of connections, with the best rungs and with tracepoints alone. */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { openQuark as openCatalogue, Quark } from '../../quark.js'
import type { QuarkEvent } from '../index.js'
import { catalogueWith } from './testing/rungs.js'
import {
  EXPECTED,
  eventsOf,
  isOfSocket,
  sentence,
  sentencesOf,
  type AnySocketEvent,
} from './testing/sentences.js'
import { type Facts, hasPython, run, type Situation } from './testing/situations.js'
import { inOwnNamespace } from './testing/verdict.js'
import { TCP_LIMIT as LIMIT } from './testing/watch.js'

function openQuark(more: object = {}): Promise<Quark> {
  // Nothing is read before the end, whatever else happens on the machine.
  // What joins depends on the times, and is tested elsewhere.
  const options = { aggregation: 'none', ringSizeBytes: 2 ** 26 } as const
  return Quark.open({ sockets: true, backends: ['ebpf'], ...options, ...more })
}

test(
  'each situation has the right processes, bytes and errors, or says nothing',
  { ...LIMIT, skip: LIMIT.skip || !hasPython },
  async (t) => {
    const recording = join(mkdtempSync(join(tmpdir(), 'quark-sockets-')), 'recording')
    t.after(() => rmSync(dirname(recording), { recursive: true }))
    const facts = new Map<Situation, Facts>()
    const names = [...Object.keys(EXPECTED), 'reused', 'namespaces', 'counted'] as Situation[]
    let isAtOnce = false
    let events: AnySocketEvent[] = []
    // On a busy machine the kernel may skip programs, which is reported as a loss: then what is missing proves nothing.
    for (let tries = 1, lost = 1; lost > 0; tries += 1) {
      assert.ok(tries <= 5, `${lost} records were lost, five times`)
      const quark = await openQuark({ record: recording, truncate: true })
      // Where functions can be hooked, an accept is seen at once.
      isAtOnce = quark.capabilities.attached.some(({ hook }) => hook.endsWith('/inet_csk_accept'))
      for (const name of names) facts.set(name, await run(name))
      events = quark.finish().filter(isOfSocket)
      await quark.close()
      lost = quark.stats().lost
      if (lost > 0) t.diagnostic(`try ${tries}: ${JSON.stringify(quark.stats())}`)
    }
    await t.test('a replay of the recording', async () => {
      const replay = await Quark.replay(recording, { aggregation: 'none' })
      const replayed: AnySocketEvent[] = []
      for await (const event of replay) if (isOfSocket(event)) replayed.push(event)
      await replay.close()
      const ofSocket = ({ process, relatives: _relatives, ...rest }: AnySocketEvent) => {
        return { ...rest, process: process?.entityId }
      }
      assert.deepEqual(replayed.map(ofSocket), events.map(ofSocket))
    })
    const factsOf = (name: Situation): Facts => facts.get(name) ?? assert.fail(name)
    const namesOf = ({ pid, child }: Facts) =>
      new Map([
        [pid, 'parent'],
        [Number(child), 'child'],
      ])
    for (const [name, expected] of Object.entries(EXPECTED)) {
      await t.test(name, (t) => {
        const known = factsOf(name as Situation)
        if (known['absent'] !== undefined) {
          t.skip(`this kernel has no ${String(known['absent'])}`)
          return
        }
        const sentences = eventsOf(events, known).map((event) => sentence(event, namesOf(known)))
        const seen = isAtOnce
          ? expected.map((text) => text.replace('accept+close', 'accept & close'))
          : expected
        assert.deepEqual(sentences.toSorted(), sentencesOf(seen))
      })
    }
    await t.test('a socket that was connected twice', () => {
      const known = factsOf('twice')
      const again = eventsOf(events, known, known['second'] as number).map((event) =>
        sentence(event, namesOf(known)),
      )
      assert.deepEqual(
        again.toSorted(),
        sentencesOf([
          'close inbound by nobody, unaccepted: 0/0',
          'connect & close outbound by parent, closed by parent: 0/0',
        ]),
      )
    })
    await t.test('addresses that cannot be reached', () => {
      const known = factsOf('unreachable')
      assert.deepEqual(known['codes'], [101, 101, 101])
      const failed = eventsOf(events, known, 9).map((event) => sentence(event, namesOf(known)))
      const unknown = failed.map((text) => text.replace(/: (101|unknown)$/, ''))
      assert.deepEqual(unknown.toSorted(), [
        'failed by parent to 224.0.0.1',
        'failed by parent to 224.0.0.2',
        'failed by parent to ff02::1',
      ])
    })
    await t.test('two servers at one port', () => {
      const known = factsOf('reused')
      const accepted = eventsOf(events, known).filter(
        (event) => event.kind === 'connection' && event.actions.includes('accept'),
      )
      const owners = accepted.map(({ pid }) => pid)
      assert.equal(owners.filter((pid) => pid === known.pid).length, known['mine'])
      assert.deepEqual(
        owners.filter((pid) => pid !== known.pid),
        [known['child']],
      )
    })
    await t.test('the same addresses and ports in two network namespaces', () => {
      const known = factsOf('namespaces')
      const found = eventsOf(events, known).map((event) => {
        return `${sentence(event, namesOf(known))} in ${event.netNs}`
      })
      const expected = (known['inodes'] as number[]).flatMap((inode, index) => [
        `accept inbound by parent in ${inode}`,
        `close inbound by parent, closed by parent: 0/${index + 1} in ${inode}`,
        `connect outbound by parent in ${inode}`,
        `close outbound by parent, closed by parent: ${index + 1}/0 in ${inode}`,
      ])
      assert.deepEqual(found.toSorted(), expected.toSorted())
    })
    await t.test('as many as the kernel counts, each with its process', () => {
      const { pid, inode, active, passive, failed } = factsOf('counted')
      // A namespace may have the number of one that is gone.
      const found = events.filter((event) => event.netNs === inode && event.pid === pid)
      const countOf = (action: string): number =>
        found.filter((event) => event.kind === 'connection' && event.actions.join() === action).length
      const refused = found.filter(({ kind }) => kind === 'connectionFailed').length
      assert.deepEqual(
        { active: countOf('connect') + refused, passive: countOf('accept'), failed: refused },
        { active, passive, failed },
      )
      assert.equal(countOf('close'), countOf('connect') + countOf('accept'))
    })
    await t.test('a socket of IPv6 that reaches an address of IPv4', () => {
      const opened = eventsOf(events, factsOf('mapped')).filter(
        (event) => event.kind === 'connection' && !event.actions.includes('close'),
      )
      const ends = opened.map((event) => [event.family, event.localIp])
      assert.deepEqual(ends.toSorted(), [
        ['ipv4', '127.0.0.1'],
        ['ipv6', '::ffff:127.0.0.1'],
      ])
    })
  },
)

/** Who closed a socket is not seen. */
const BY_STATES: Readonly<Partial<Record<Situation, readonly string[]>>> = {
  forked: [
    'connect & close outbound by parent, closed by nobody: 5/0',
    'accept & close inbound by parent, closed by nobody: 0/5',
  ],
  silentRead: [
    'connect & close outbound by parent, closed by nobody: 1/0',
    'accept & close inbound by parent, closed by nobody: 0/1',
  ],
  silentClose: [
    'connect & close outbound by parent, closed by nobody: 0/0',
    'close inbound by nobody, closed by nobody: 0/0',
  ],
  halfClosed: [
    'connect & close outbound by parent, closed by nobody: 7/9',
    'accept & close inbound by parent, closed by nobody: 9/7',
  ],
  abandoned: ['failed by parent to 127.0.0.1: abandoned'],
}

test(
  'tracepoints alone say who opens and reads, and nothing that they do not know',
  { ...LIMIT, skip: LIMIT.skip || !hasPython },
  async (t) => {
    const options = { sockets: true, backends: ['ebpf'], ringSizeBytes: 2 ** 26, aggregation: 'none' }
    const quark = await openCatalogue(catalogueWith('states'), options)
    const hooks = quark.capabilities.attached.filter(({ fact }) => fact.startsWith('socket'))
    const facts = new Map<string, Facts>()
    for (const name of Object.keys(BY_STATES)) facts.set(name, await run(name as Situation))
    const events = (quark.finish() as readonly QuarkEvent[]).filter(isOfSocket)
    await quark.close()
    assert.ok(hooks.length > 0)
    assert.deepEqual(
      hooks.filter(({ hook }) => !/^(tp_btf|raw_tp|iter|proc)\//.test(hook)),
      [],
    )
    assert.deepEqual(
      quark.capabilities.missing.flatMap(({ fact }) => (fact.startsWith('socket') ? [fact] : [])),
      ['socketCloses.closerPid', 'socketCloses.closerStartBootNs', 'socketAccepts.at once'],
    )
    for (const [name, expected] of Object.entries(BY_STATES)) {
      await t.test(name, () => {
        const known = facts.get(name) ?? assert.fail(name)
        const names = new Map([[known.pid, 'parent']])
        const sentences = eventsOf(inOwnNamespace(events), known).map((event) => sentence(event, names))
        assert.deepEqual(sentences.toSorted(), sentencesOf(expected))
      })
    }
  },
)
