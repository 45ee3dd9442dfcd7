import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { encodeRecord, type RecordLayout } from 'quark-ebpf/probe'
import {
  acceptLayout,
  AF_INET,
  AF_INET6,
  closeLayout,
  connectFailedLayout,
  connectLayout,
  PHASE_ACCEPTED,
  PHASE_CONNECTED,
  PHASE_LISTENING,
  PHASE_TRIED,
} from './kinds/socket/records.js'
import { entriesOf } from './process/ruled/end-answers.js'
import { rulesOf } from './rule-sets.js'
import { record, strings } from './testing/process-records.js'
import { BASE_NS, RuledQueue } from './testing/ruled-queue.js'
import { addressOf, isIn, networkOf } from './where/address.js'

const PIDS = 2

/** Each in the order of the network, and how the rules have them. */
const ADDRESSES: readonly { readonly family: number; readonly words: readonly number[] }[] = [
  [AF_INET, '10.1.2.3'],
  [AF_INET, '10.200.0.1'],
  [AF_INET, '192.0.2.7'],
  [AF_INET, '0.0.0.0'],
  [AF_INET6, '2001:db8::1'],
  [AF_INET6, '2001:db8:1::1'],
  [AF_INET6, '::1'],
].map(([family, text]) => ({ family: family as number, words: networkWords(text as string) }))
/** What an IPv6 socket calls an address of IPv4. */
const MAPPED = { family: AF_INET6, words: [0, 0, 0xffff_0000, ...networkWords('10.1.2.3')] }
const PORTS = [22, 443, 8080, 50_000, 0]

function networkWords(text: string): number[] {
  return (addressOf(text) ?? []).map((word) => new DataView(Uint32Array.of(word).buffer).getUint32(0, false))
}

function networkPort(port: number): number {
  return ((port & 0xff) << 8) | (port >>> 8)
}

interface Step {
  readonly what: 'connect' | 'accept' | 'failed' | 'closed' | 'unlistened' | 'exec' | 'pump'
  readonly pid: number
  /** How long after the last one. */
  readonly gapNs: number
  readonly remote: (typeof ADDRESSES)[number]
  readonly localPort: number
  readonly remotePort: number
  /** The connection is closed so long after it began; it stays open where that is absent. */
  readonly closedNs: number | undefined
}

const port = fc.constantFrom(...PORTS)
const step: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom('connect', 'connect', 'accept', 'failed', 'closed', 'unlistened', 'exec', 'pump'),
  pid: fc.integer({ min: 1, max: PIDS }),
  gapNs: fc.integer({ min: 0, max: 150_000_000 }),
  remote: fc.constantFrom(...ADDRESSES, MAPPED),
  localPort: port,
  remotePort: port,
  closedNs: fc.option(fc.integer({ min: 0, max: 150_000_000 }), { nil: undefined }),
})

const clause = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('socket.port 443', 'socket.port 22', 'socket.port 1..1023') },
  { weight: 2, arbitrary: fc.constantFrom('socket.port [ 22 8080..50000 ]', 'socket.port 100000') },
  { weight: 3, arbitrary: fc.constantFrom('socket.host 10.0.0.0/8', 'socket.host 10.1.0.0/16') },
  { weight: 2, arbitrary: fc.constantFrom('socket.host 2001:db8::/32', 'socket.host ::/0') },
  { weight: 2, arbitrary: fc.constantFrom('socket.host 0.0.0.0/0', 'socket.host [ 192.0.2.7 ::1 ]') },
  fc.constantFrom('event.kind connection', 'event.kind connectionFailed', 'event.kind process'),
  fc.constantFrom('socket.host example.org', 'dns.name example.org', 'event.action open', 'poison 1'),
  fc.constantFrom('process.pid 1', 'process.exe /exe1', 'ancestor.pid 1', 'file.path /x'),
)
const negated = fc.tuple(fc.boolean(), clause).map(([isNot, one]) => (isNot ? `not ${one}` : one))
const condition = fc.oneof(
  negated,
  fc.tuple(negated, negated).map(([a, b]) => `${a} ${b}`),
  fc.tuple(negated, negated, negated).map(([a, b, c]) => `( ${a} or ${b} ) ${c}`),
)
const action = fc.constantFrom('drop', 'drop', 'drop', 'drop', 'pass', 'warn', 'poison 1', 'poison 2')
const ruleText = fc
  .array(
    fc.tuple(action, condition).map(([what, on]) => `${what} on ${on}`),
    { minLength: 1, maxLength: 5 },
  )
  .map((rules) => rules.join('\n'))

interface Timed {
  readonly at: number
  readonly bytes?: Uint8Array
}

/** Records in order of time: each connection has its own socket, and the ends of it are the same in all of its records. */
function recordsOf(steps: readonly Step[]): Timed[] {
  let at = BASE_NS
  let cookie = 0n
  const begins = Array.from({ length: PIDS }, (_, index): Timed => {
    at += 1000
    return { at, bytes: executed(index + 1, at) }
  })
  const records = steps.flatMap((one): Timed[] => {
    at += one.gapNs + 1
    if (one.what === 'pump') return [{ at }]
    if (one.what === 'exec') return [{ at, bytes: executed(one.pid, at) }]
    cookie += 1n
    const first = { at, bytes: endedRecord(one, cookie, at) }
    const isOpened = one.what === 'connect' || one.what === 'accept'
    if (!isOpened || one.closedNs === undefined) return [first]
    const closedAt = at + one.closedNs + 1
    return [first, { at: closedAt, bytes: endedRecord({ ...one, what: 'closed' }, cookie, closedAt) }]
  })
  return [...begins, ...records].sort((a, b) => a.at - b.at)
}

function executed(pid: number, at: number): Uint8Array {
  const path = (name: string) => ({ path: name, root: '/', truncated: false, deleted: false })
  return record('exec', at, {
    pid,
    tid: pid,
    startBootNs: BigInt(BASE_NS - pid),
    ppid: pid - 1,
    comm: 'e',
    exe: path(`/exe${pid}`),
    cwd: path('/'),
    argv: strings('x'),
  })
}

const LAYOUTS = {
  connect: [connectLayout, PHASE_CONNECTED],
  accept: [acceptLayout, PHASE_ACCEPTED],
  failed: [connectFailedLayout, PHASE_TRIED],
  closed: [closeLayout, PHASE_CONNECTED],
  unlistened: [closeLayout, PHASE_LISTENING],
} as const

function endedRecord(one: Step, cookie: bigint, at: number): Uint8Array {
  const [layout, phase] = LAYOUTS[one.what as keyof typeof LAYOUTS]
  const { family, words } = one.remote
  const [remote0 = 0, remote1 = 0, remote2 = 0, remote3 = 0] = one.what === 'unlistened' ? [] : words
  const { pid } = one
  return encodeRecord(
    layout as unknown as RecordLayout,
    { cpu: 0, seq: 0, timeNs: BigInt(at) },
    {
      pid,
      cookie,
      startBootNs: BigInt(BASE_NS - pid),
      family,
      phase,
      localPort: networkPort(one.localPort),
      remotePort: one.what === 'unlistened' ? 0 : networkPort(one.remotePort),
      remote0,
      remote1,
      remote2,
      remote3,
      hasBytes: 1,
      sentBytes: 3n,
    },
  )
}

function run(text: string, steps: readonly Step[]): { plain: RuledQueue; ruled: RuledQueue } {
  const plain = new RuledQueue(text, false)
  const ruled = new RuledQueue(text, true)
  for (const queue of [plain, ruled]) {
    queue.pump()
    for (const { at, bytes } of recordsOf(steps)) {
      queue.to(at)
      if (bytes === undefined) queue.pump()
      else queue.take(bytes)
    }
  }
  return { plain, ruled }
}

test('whatever the rules and the connections: the kernel and user space together deliver what user space alone delivers', () => {
  let leftOut = 0
  fc.assert(
    fc.property(ruleText, fc.array(step, { minLength: 1, maxLength: 30 }), (text, steps) => {
      const { plain, ruled } = run(text, steps)
      assert.deepEqual(ruled.finish(), plain.finish())
      leftOut += ruled.leftOut
    }),
    { numRuns: 200 },
  )
  assert.ok(leftOut > 50, `only ${leftOut} records were left out: the test shows nothing`)
})

const CONNECT: Step = {
  what: 'connect',
  pid: 1,
  gapNs: 1_000_000,
  remote: ADDRESSES[0] as Step['remote'],
  localPort: 50_000,
  remotePort: 443,
  closedNs: undefined,
}

test('what rules drop by ports and addresses alone is left out from the first connection on, and counted', () => {
  const cases: [text: string, change: Partial<Step>, isLeftOut: boolean][] = [
    ['drop on socket.port 443', {}, true],
    ['drop on socket.port 443', { remotePort: 444 }, false],
    ['drop on socket.port 443', { localPort: 443, remotePort: 50_000 }, true],
    ['drop on socket.port 400..500', {}, true],
    ['drop on socket.port 443', { localPort: 0 }, false],
    ['drop on socket.host 10.0.0.0/8', {}, true],
    ['drop on socket.host 10.0.0.0/8', { remote: MAPPED }, true],
    ['drop on socket.host ::/0', { remote: MAPPED }, false],
    ['drop on socket.host ::/0', { remote: ADDRESSES[4] as Step['remote'] }, true],
    ['drop on not socket.host 10.0.0.0/8', {}, false],
    ['drop on not socket.host 10.0.0.0/8', { remote: ADDRESSES[2] as Step['remote'] }, true],
    ['pass on socket.host 10.1.0.0/16\ndrop on socket.port 443', {}, false],
    ['pass on socket.host 10.2.0.0/16\ndrop on socket.port 443', {}, true],
    ['drop on socket.port 443 process.uid 0', {}, false],
    ['pass on process.uid 0\ndrop on socket.port 443', {}, false],
    ['pass on process.uid 0 socket.port 22\ndrop on socket.port 443', {}, true],
    ['poison 1 on socket.port 443\ndrop on socket.port 443', {}, false],
    ['drop on socket.host example.org', {}, false],
    ['drop on event.kind connection', {}, true],
    ['drop on event.kind connectionFailed socket.port 443', {}, false],
    ['drop on event.kind connectionFailed socket.port 443', { what: 'failed' }, true],
    [`drop on socket.port [ ${Array.from({ length: 17 }, (_, i) => 440 + i).join(' ')} ]`, {}, false],
  ]
  for (const [text, change, isLeftOut] of cases) {
    const { plain, ruled } = run(text, [{ ...CONNECT, ...change }])
    const shown = `${text} ${JSON.stringify(change)}`
    assert.deepEqual(ruled.finish(), plain.finish(), shown)
    assert.equal(ruled.leftOut, isLeftOut ? 1 : 0, shown)
    const of = ({ rules }: RuledQueue): unknown => rules.counters().map(({ evals, hits }) => [evals, hits])
    assert.deepEqual(of(ruled), of(plain), shown)
    const counted = ruled.rules.counters().reduce((sum, counter) => sum + counter.leftOut, 0)
    assert.equal(counted, isLeftOut ? 1 : 0, shown)
  }
})

test('rules say where ports and addresses are decided', () => {
  const clauses = (text: string): string[] =>
    rulesOf(text)
      .explain()
      .flatMap(({ place, kinds, clauses: own }) => [
        `${place} ${kinds.join()}`,
        ...own.map((clause) => `${clause.field} ${clause.place}`),
      ])
  assert.deepEqual(clauses('drop on socket.port 443 socket.host 10.0.0.0/8'), [
    'kernel connection,connectionFailed',
    'socket.port kernel',
    'socket.host kernel',
  ])
  assert.deepEqual(clauses('drop on event.kind connection socket.port 443'), [
    'kernel connection',
    'event.kind kernel',
    'socket.port kernel',
  ])
  assert.deepEqual(clauses('drop on socket.port 443 process.uid 0'), [
    'user space ',
    'socket.port user space',
    'process.uid kernel',
  ])
  assert.deepEqual(clauses('drop on socket.host example.org'), ['user space ', 'socket.host user space'])
  assert.deepEqual(clauses('pass on file.path /x\ndrop on socket.port 443'), [
    'user space ',
    'file.path user space',
    'kernel connection,connectionFailed',
    'socket.port kernel',
  ])
})

const network = fc
  .tuple(fc.constantFrom(...ADDRESSES, MAPPED), fc.integer({ min: 0, max: 128 }))
  .map(([{ words }, bits]) => {
    const text = new Uint8Array(Uint32Array.from(words).buffer)
    return words.length === 1
      ? `${text.join('.')}/${bits % 33}`
      : `${Array.from({ length: 8 }, (_, i) =>
          Buffer.from(text)
            .readUInt16BE(2 * i)
            .toString(16),
        ).join(':')}/${bits}`
  })
  .filter((text) => networkOf(text) !== undefined)

test('of all prefixes that hold an address or a port the longest has the answer', () => {
  const range = fc
    .tuple(fc.nat(65_535), fc.nat(65_535))
    .map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }))
  const question = fc.record({
    ports: fc.array(range, { maxLength: 3 }),
    networks: fc.array(network, { maxLength: 3 }),
  })
  const near = fc.constantFrom(0, 1, 22, 443, 1023, 65_535)
  fc.assert(
    fc.property(fc.array(question, { maxLength: 4 }), fc.oneof(near, fc.nat(65_535)), (asked, wanted) => {
      const questions = asked.map(({ ports, networks }) => ({
        ports,
        networks: networks.map((text) => networkOf(text) as NonNullable<ReturnType<typeof networkOf>>),
      }))
      const entries = entriesOf(questions)
      const found = (kind: number, words: readonly number[]): number => {
        const bytes = Buffer.from(Uint32Array.from(words).buffer)
        const holds = ({ key }: (typeof entries)[number]): boolean => {
          const own = Buffer.from(Uint32Array.of(key.word0, key.word1, key.word2, key.word3).buffer)
          const bits = key.prefix - 32
          const same = (bit: number): boolean =>
            ((((own[bit >> 3] ?? 0) ^ (bytes[bit >> 3] ?? 0)) >> (7 - (bit & 7))) & 1) === 0
          return key.kind === kind && Array.from({ length: bits }, (_, bit) => bit).every(same)
        }
        const best = entries.filter(holds).sort((a, b) => b.key.prefix - a.key.prefix)[0]
        assert.ok(best !== undefined, 'there is an answer about everything')
        return best.bits
      }
      const bitsOf = (holds: (one: (typeof questions)[number]) => boolean): number =>
        questions.reduce((sum, one, bit) => sum + (holds(one) ? 2 ** bit : 0), 0)
      assert.equal(
        found(1, [networkPort(wanted)]),
        bitsOf(({ ports }) => ports.some(({ from, to }) => from <= wanted && wanted <= to)),
      )
      for (const { family, words } of [...ADDRESSES, MAPPED]) {
        const isMapped = words.length === 4 && words[2] === 0xffff_0000
        const address = (isMapped ? words.slice(3) : words).map((word) =>
          new DataView(Uint32Array.of(word).buffer).getUint32(0, false),
        )
        assert.equal(
          found(family, words),
          bitsOf(({ networks }) => networks.some((one) => isIn(address, one))),
        )
      }
    }),
  )
})
