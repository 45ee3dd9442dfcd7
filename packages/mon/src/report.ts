import {
  type Capabilities,
  FACT_LABELS,
  LIMITS,
  LINE_OPTIONS,
  type LineOptions,
  OPTIONS,
  type OptionSpecs,
  type QuarkOptions,
  QUEUES,
  type QuarkStats,
  type RecordQueue,
  type RecordingError,
  sanitise,
  type TableLimit,
} from 'quark-telemetry'
import { commandName } from './library-options.js'
import { withoutCodes } from './system-errors.js'
import { byteText } from './values.js'

const COLUMN = 14

/** The counters of a run: a blank line, a heading, and the numbers below it. */
export function statsText(stats: QuarkStats): string {
  const columns: [string, number][] = [
    ['insertions', stats.insertions],
    ['removals', stats.removals],
    ['aggs', stats.aggregations],
    ['non-aggs', stats.nonAggregations],
    ['lost', stats.lost],
    ['gc-cols', stats.garbageCollections],
  ]
  const heading = columns.map(([name]) => name.padStart(COLUMN)).join('')
  const numbers = columns.map(([, value]) => `${value}`.padStart(COLUMN)).join('')
  return `\n${heading}\n${numbers}\n`
}

/** The declarations by which losses are explained. */
export interface LossTable {
  readonly options: OptionSpecs
  readonly limits: readonly TableLimit[]
  readonly queues?: Readonly<Record<string, RecordQueue>>
}

/** One line for each kind of loss that occurred, with the option that helps. */
export function lossText(
  stats: QuarkStats,
  options: QuarkOptions,
  { options: specs, limits, queues = {} }: LossTable = { options: OPTIONS, limits: LIMITS, queues: QUEUES },
): string {
  const ringSize = byteText(options.ringSizeBytes ?? OPTIONS.ringSizeBytes.default)
  const ringFull = Object.entries(stats.lostRingFull)
    .filter(([, count]) => count > 0)
    .map(([record, count]) => {
      const queue = queues[record]
      return queue === undefined
        ? `lost ${count} ${record} records to a full ring: raise ${commandName(specs, 'ringSizeBytes')} (now ${ringSize})`
        : `lost ${count} ${record} records to ${queue.text}: ${remedy(specs, queue)}`
    })
  const ofUsers = Object.entries(stats.lostByUid).map(
    ([uid, count]) => `of uid ${uid}: ${count} of the records that found the ring full`,
  )
  const others: [number, string][] = [
    [stats.shortened, 'records without most of their arguments: users who filled the ring made them'],
    [
      stats.untracked,
      "processes of followed or excluded trees found no room in the kernel's set: their events are filtered wrongly",
    ],
    [
      stats.undecided,
      'events were left out that filters might have let pass: secrets of their paths are replaced in the recording',
    ],
    [stats.lostRejected, 'records could not be decoded: please report it, with a file made by --record'],
    [
      stats.lostRecursion,
      'records lost because the kernel skipped a program while one was running on that CPU: nothing can be done',
    ],
    [stats.lostUnseen, 'connections that the kernel counted were not seen: nothing can be done'],
    ...limits.map((limit): [number, string] => [
      countOf(stats, limit),
      `${limit.text}: ${remedy(specs, limit)}`,
    ]),
  ]
  const skipped = Object.entries(stats.skipped).map(
    ([name, count]) => `skipped ${count} × ${name} of the recording: this quark-mon does not know them`,
  )
  return messages([
    ...ringFull,
    ...ofUsers,
    ...others.flatMap(([count, text]) => (count > 0 ? `${count} ${text}` : [])),
    ...skipped,
  ])
}

/** The line about filters that no event passed; nothing if some did, or there were no filters. */
export function filterText({ matched, filtered }: QuarkStats, { where }: QuarkOptions): string {
  if (where === undefined || matched > 0) return ''
  const others = filtered === 0 ? '' : `: they left out ${filtered}`
  return messages([`no event passed the filters${others}`])
}

/** The line about events of which values are missing in the output; nothing if there are none. */
export function truncatedText(count: number, { maxLineBytes }: LineOptions): string {
  if (count === 0) return ''
  const limit = byteText(maxLineBytes ?? LINE_OPTIONS.maxLineBytes.default)
  const option = commandName(LINE_OPTIONS, 'maxLineBytes')
  return messages([`cut ${count} events that had more output than ${option} allows: raise it (now ${limit})`])
}

/** The kind whose counters are members of the statistics themselves. */
const TOP = 'process'

/** The counters of processes are members of the statistics; those of other kinds are in their tables. */
function countOf(stats: QuarkStats, { kind, counter }: TableLimit): number {
  const counters = kind === TOP ? (stats as unknown as Readonly<Record<string, number>>) : stats.tables[kind]
  return counters?.[counter] ?? 0
}

function remedy(specs: OptionSpecs, { option, reason }: Pick<TableLimit, 'option' | 'reason'>): string {
  return option === undefined
    ? (reason ?? 'nothing can be done')
    : `raise ${commandName(specs, option) ?? option}`
}

/** How each fact is learnt. */
export function capabilitiesText({ backend, kernel, attached }: Capabilities): string {
  return messages([
    `backend ${backend} on kernel ${kernel}`,
    ...attached.map(({ fact, hook, flavor }) => `${factName(fact)}: ${hook} (${flavor})`),
  ])
}

/** One line for every reason why facts cannot be learnt. */
export function missingText({ missing }: Capabilities): string {
  const facts = new Map<string, string[]>()
  for (const { fact, reason } of missing) facts.set(reason, [...(facts.get(reason) ?? []), fact])
  return messages([...facts].map(([reason, because]) => `${lackOf(because)}: ${reason}`))
}

/** `fork` is a fact, and `fileContent.mmap` a part of one, of which the reason says enough. */
function lackOf(facts: readonly string[]): string {
  const isPart = (fact: string): boolean => fact.includes('.') && FACT_LABELS[fact] === undefined
  const wholes = facts.filter((fact) => !isPart(fact)).map(factName)
  const parts = facts.filter(isPart).map((fact) => factName(fact.slice(0, fact.indexOf('.'))))
  return [
    ...(wholes.length > 0 ? [`no ${enumerate(wholes)}`] : []),
    ...(parts.length > 0 ? [`${enumerate([...new Set(parts)])}, but not all`] : []),
  ].join('; ')
}

function enumerate(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}

/** The line about a recording without its end. */
export function cutShortText({ path, offset }: RecordingError): string {
  return messages([
    `the recording "${path}" ends at byte ${offset} without its end mark, as when its quark-mon was killed: what came after is not known`,
  ])
}

/** The note when the proc connector runs without /proc, which it would read. */
export function withoutProcText(): string {
  return messages([
    'no facts from /proc: with -D there is none, so of what begins from now on only pids, parents, names, ids and status are reported',
  ])
}

/**
 * An error as lines for a terminal, with those causes that its message does not contain already.
 *
 * @param withStack also where each error was made
 * @param command the name that the first line begins with
 */
export function errorText(error: unknown, withStack: boolean, command = 'quark-mon'): string {
  const lines: string[] = []
  let written = ''
  for (let depth = 0, at = error; at !== undefined && depth < 8; depth += 1) {
    const { message: raw, stack, cause } = at instanceof Error ? at : new Error(String(at))
    const message = withoutCodes(raw)
    if (!written.includes(raw)) {
      lines.push(
        depth === 0 ? `${command}: ${sanitiseLines(message)}` : `  because: ${sanitiseLines(message)}`,
      )
      written += raw
    }
    if (withStack && stack !== undefined) lines.push(...stackFrames(stack))
    at = cause
  }
  return `${lines.join('\n')}\n`
}

function stackFrames(stack: string): string[] {
  return stack
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .map((line) => sanitise(line))
}

/** Keeps line ends: a verifier log has several lines. */
function sanitiseLines(text: string): string {
  return text.split('\n').map(sanitise).join('\n    ')
}

function factName(fact: string): string {
  return FACT_LABELS[fact] ?? fact
}

function messages(texts: readonly string[]): string {
  return texts.map((text) => `quark-mon: ${sanitiseLines(text)}\n`).join('')
}
