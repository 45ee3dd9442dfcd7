/** What was seen of situations beside what happened, for tests and for tables by kernel and rung. */

import { isDeepStrictEqual } from 'node:util'
import type { QuarkEvent, QuarkOptions } from '../kinds/index.js'
import type { ActivityFacts, Plain } from './activities.js'
import type { Verdict } from './situation-rows.js'

/** Something that a program did, and the events that there are to be of it, in their order. */
export interface Situation {
  readonly name: string
  readonly expected: readonly Plain[]
}

/** All situations of one run of a kind. */
export interface Observed {
  readonly situations: readonly Situation[]
  /** All events that the run caused, in their order. */
  readonly seen: readonly Plain[]
}

/** The situations of a kind. */
export interface SituationsOf {
  /** What has to be switched on. */
  readonly options: QuarkOptions
  /** Why they cannot be made here; undefined if they can. */
  readonly problem?: string | undefined
  run(): Promise<ActivityFacts>
  observe(facts: ActivityFacts, events: readonly QuarkEvent[]): Observed
}

/** What there is beyond the situations. */
const NOTHING_ELSE = 'nothing else'

/** How many members of `whole` are not in `part`; undefined if `part` says anything else. */
function lacksOf(part: Plain, whole: Plain): readonly string[] | undefined {
  const isOfWhole = Object.entries(part).every(([name, value]) => isDeepStrictEqual(value, whole[name]))
  return isOfWhole ? Object.keys(whole).filter((name) => !(name in part)) : undefined
}

/** Compares: events and what they say may be missing, and whatever is said must be so. */
export function verdictsOf({ situations, seen }: Observed): ReadonlyMap<string, Verdict> {
  const left = situations.flatMap(({ name, expected }) => expected.map((event) => ({ name, event })))
  const lacking = new Map(situations.map(({ name }) => [name, new Set<string>()]))
  const wrong = new Map<string, string[]>()
  // Whole events first, so that none is taken for another one of which less is known.
  const rest = seen.filter((event) => {
    const at = left.findIndex((one) => isDeepStrictEqual(one.event, event))
    if (at !== -1) left.splice(at, 1)
    return at === -1
  })
  for (const event of rest) {
    const at = left.findIndex((one) => lacksOf(event, one.event) !== undefined)
    const found = left[at]
    if (found === undefined) {
      wrong.set(NOTHING_ELSE, [...(wrong.get(NOTHING_ELSE) ?? []), textOf(event)])
      continue
    }
    for (const lack of lacksOf(event, found.event) ?? []) lacking.get(found.name)?.add(lack)
    left.splice(at, 1)
  }
  for (const { name } of left) {
    const notes = lacking.get(name)
    notes?.add(`event ${notes.size + 1}`)
  }
  return new Map<string, Verdict>([
    ...[...lacking].map(([name, notes]): [string, Verdict] => [
      name,
      { verdict: notes.size === 0 ? 'right' : 'less', notes: [...notes] },
    ]),
    [
      NOTHING_ELSE,
      { verdict: wrong.size === 0 ? 'right' : 'wrong', notes: [...(wrong.get(NOTHING_ELSE) ?? [])] },
    ],
  ])
}

function textOf(event: Plain): string {
  return JSON.stringify(event, (_name, value: unknown) => (typeof value === 'bigint' ? `${value}` : value))
}

/** All that is to be seen of situations. */
export function expectedOf(situations: readonly Situation[]): Plain[] {
  return situations.flatMap(({ expected }) => expected)
}
