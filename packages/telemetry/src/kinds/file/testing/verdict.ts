/** How what was seen of a situation compares with what happened, and with what a sort of rungs can see of it. */

import type { Verdict } from '../../../testing/situation-rows.js'

/** Parts of a sentence that may be absent, and what the table calls them. */
const PARTS: readonly (readonly [name: string, part: RegExp])[] = [
  ['bytes', / wrote \d+/],
  ['close', /\+close/],
  ['target', / -> .*$/],
  ['old name', / <- \S+/],
]

/** Actions that fanotify does not tell apart, as it has them. */
function merged(text: string): string {
  return text
    .replace(/^(chmod|chown|utimes|xattr)(\+(chmod|chown|utimes|xattr))*(?= )/, 'attributes')
    .replace(/^truncate(\+modify)?(?= )/, 'modify')
}

interface Weaker {
  readonly text: string
  readonly notes: readonly string[]
}

/** All that a sentence is with parts of it left out. */
function weakerOf(text: string): Weaker[] {
  let all: Weaker[] = [{ text, notes: [] }]
  for (const [name, part] of PARTS) {
    const without = all.flatMap((one) =>
      part.test(one.text) ? [{ text: one.text.replace(part, ''), notes: [...one.notes, name] }] : [],
    )
    all = [...all, ...without]
  }
  const coarse = all.flatMap((one) =>
    merged(one.text) === one.text ? [] : [{ text: merged(one.text), notes: [...one.notes, 'exact action'] }],
  )
  return [...all, ...coarse]
}

/**
 * @param whole what happened
 * @param expected what is to be seen of it here; undefined where that may be anything
 */
export function verdictOf(
  whole: readonly string[],
  expected: readonly string[] | undefined,
  seen: readonly string[],
): Verdict {
  if (expected !== undefined && JSON.stringify(expected) !== JSON.stringify(seen))
    return { verdict: 'wrong', notes: [seen.join('; ').slice(0, 200) || 'nothing'] }
  const left = [...seen]
  let isUnseen = false
  const notes = new Set<string>()
  for (const text of whole) {
    const best = weakerOf(text)
      .flatMap((one) => [one, { text: `${one.text} unverified`, notes: [...one.notes, 'verified name'] }])
      .find((one) => left.includes(one.text))
    if (best === undefined) {
      notes.add(`event: ${text}`)
      isUnseen = true
    } else left.splice(left.indexOf(best.text), 1)
    for (const note of best?.notes ?? []) notes.add(note)
  }
  // What several calls did, in one event, or what one did in several.
  if (left.length > 0 && !isUnseen) notes.add('order')
  return { verdict: notes.size === 0 ? 'right' : 'less', notes: [...notes] }
}
