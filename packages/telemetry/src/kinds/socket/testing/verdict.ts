/** How what was seen of a situation compares with what happened. */

import { readlinkSync } from 'node:fs'
import type { Verdict } from '../../../testing/situation-rows.js'
import type { AnySocketEvent } from './sentences.js'
import { EXPECTED, eventsOf, sentence, sentencesOf } from './sentences.js'
import type { Facts, Situation } from './situations.js'

/** The network namespace of this process. */
function netNsOf(): number {
  return Number(/\d+/.exec(readlinkSync('/proc/self/ns/net'))?.[0])
}

/** Those of the network namespace of this process: others have the same ports. */
export function inOwnNamespace<E extends { readonly netNs: number | undefined }>(events: readonly E[]): E[] {
  const own = netNsOf()
  return events.filter(({ netNs }) => netNs === own)
}

function namesOf({ pid, child }: Facts): ReadonlyMap<number, string> {
  return new Map([
    [pid, 'parent'],
    [Number(child), 'child'],
  ])
}

/** What happened in a situation, as sentences. */
export function expectedOf(name: Situation, facts: Facts): string[] {
  const { codes = [], inodes = [], ...counted } = facts as Facts & { codes?: number[]; inodes?: number[] }
  switch (name) {
    case 'twice':
      return sentencesOf([
        ...EXPECTED[name],
        'close inbound by nobody, unaccepted: 0/0',
        'connect & close outbound by parent, closed by parent: 0/0',
      ])
    case 'unreachable':
      return sentencesOf([
        ...EXPECTED[name],
        ...['224.0.0.1', '224.0.0.2', 'ff02::1'].map((to, at) => `failed by parent to ${to}: ${codes[at]}`),
      ])
    case 'reused':
      return [...Array<string>(Number(counted['mine'])).fill('accept by parent'), 'accept by child']
    case 'namespaces':
      return inodes.flatMap((inode, index) => [
        `accept inbound by parent in ${inode}`,
        `close inbound by parent, closed by parent: 0/${index + 1} in ${inode}`,
        `connect outbound by parent in ${inode}`,
        `close outbound by parent, closed by parent: ${index + 1}/0 in ${inode}`,
      ])
    case 'counted':
      return [
        `${counted['active']} opened by parent`,
        `${counted['passive']} accepted by parent`,
        `${counted['failed']} failed by parent`,
      ]
    default:
      return sentencesOf(EXPECTED[name])
  }
}

/** The same where accept(2) is seen at once, and not with the close of a connection that nobody used. */
export function atOnce(expected: readonly string[]): string[] {
  return expected.flatMap((text) =>
    text.startsWith('accept+close ')
      ? [text.replace('accept+close', 'accept').replace(/,.*/, ''), text.replace('accept+', '')]
      : [text],
  )
}

/** What was seen of a situation, in the same words. */
export function seenOf(name: Situation, facts: Facts, events: readonly AnySocketEvent[]): string[] {
  const names = namesOf(facts)
  const say = (event: AnySocketEvent): string => sentence(event, names)
  // Ports are the same in several namespaces.
  const { inodes = [netNsOf()] } = facts as Facts & { inodes?: readonly (number | undefined)[] }
  const own = eventsOf(
    events.filter(({ netNs }) => inodes.includes(netNs)),
    facts,
  )
  switch (name) {
    case 'twice':
      return [...own, ...eventsOf(events, facts, facts['second'] as number)].map(say)
    case 'unreachable':
      return [...own, ...eventsOf(events, facts, 9)].map(say)
    case 'reused':
      return own.flatMap((event) =>
        event.kind === 'connection' && event.actions.includes('accept')
          ? [`accept by ${names.get(event.pid ?? 0) ?? 'nobody'}`]
          : [],
      )
    case 'namespaces':
      return own.map((event) => `${say(event)} in ${event.netNs}`)
    case 'counted': {
      const found = events.filter((event) => event.netNs === facts['inode'] && event.pid === facts.pid)
      const count = (action: string): number =>
        found.filter((event) => event.kind === 'connection' && event.actions[0] === action).length
      const failed = found.filter(({ kind }) => kind === 'connectionFailed').length
      return [
        `${count('connect') + failed} opened by parent`,
        `${count('accept')} accepted by parent`,
        `${failed} failed by parent`,
      ]
    }
    default:
      return own.map(say)
  }
}

/** A sentence that says less, and what it leaves out. */
type Weaker = readonly [text: string, lacks: readonly string[]]

/** In the order in which they are tried. */
const LESS: readonly { readonly what: string; readonly from: RegExp; readonly to: string }[] = [
  { what: 'closer', from: /closed by (parent|child)/, to: 'closed by nobody' },
  { what: 'errno', from: /^(failed .*): \d+$/, to: '$1: unknown' },
  { what: 'accept at once', from: /^accept inbound by (parent|child)$/, to: '' },
  {
    what: 'accept at once',
    from: /^close inbound by (parent|child), closed/,
    to: 'accept+close inbound by $1, closed',
  },
  { what: 'owner', from: /^((?:accept\+)?close inbound) by (parent|child),/, to: 'close inbound by nobody,' },
  // Where accept(2) is not seen, the first process that uses the connection has it.
  { what: 'acceptor', from: /^((?:accept|close) inbound) by parent\b/, to: '$1 by child' },
  { what: 'accept at once', from: /^\d+ accepted/, to: '0 accepted' },
  { what: 'reset', from: /, unaccepted: /, to: ', closed by nobody: ' },
]

function weakerOf(text: string): Weaker[] {
  let all: Weaker[] = [[text, []]]
  for (const { what, from, to } of LESS) {
    all = [
      ...all,
      ...all.flatMap(([known, lacks]): Weaker[] =>
        from.test(known) ? [[known.replace(from, to), [...lacks, what]]] : [],
      ),
    ]
  }
  return all
}

/** Compares: what is not known may be left out, and whatever is said must be so. */
export function verdictOf(expected: readonly string[], seen: readonly string[]): Verdict {
  const full = compared(atOnce(expected), seen)
  return full.verdict === 'right' ? full : compared(expected, seen)
}

function compared(expected: readonly string[], seen: readonly string[]): Verdict {
  const left = [...expected]
  const lacking = new Set<string>()
  const wrong: string[] = []
  // Whole sentences first, so that none of them is taken for one that says less.
  const rest = seen.filter((text) => {
    const at = left.indexOf(text)
    if (at !== -1) left.splice(at, 1)
    return at === -1
  })
  for (const text of rest) {
    const at = left.findIndex((one) => weakerOf(one).some(([weaker]) => weaker === text))
    if (at === -1) {
      wrong.push(text)
      continue
    }
    const [, lacks = []] = weakerOf(left[at] as string).find(([weaker]) => weaker === text) ?? []
    for (const lack of lacks) lacking.add(lack)
    left.splice(at, 1)
  }
  for (const text of left)
    lacking.add(weakerOf(text).some(([weaker]) => weaker === '') ? 'accept at once' : text)
  if (wrong.length > 0) return { verdict: 'wrong', notes: [...wrong, ...left] }
  return lacking.size === 0 ? { verdict: 'right', notes: [] } : { verdict: 'less', notes: [...lacking] }
}
