/** A summary as a table for people. */

import type { BaseEvent } from '../event/event.js'
import type { EventSpec } from '../event/spec.js'
import {
  listsOf,
  type SummaryCount,
  type SummaryList,
  type SummaryMember,
  type SummaryNumber,
  type SummaryRow,
  type SummaryUnit,
  type Words,
} from '../event/summary-spec.js'
import { bytesText, durationText, countText } from '../output/amounts.js'
import { sanitise } from '../output/sanitise.js'
import type { SummaryHead } from './collector.js'

/** How a summary is written. */
export interface SummaryTextOptions {
  /** Longer lines are cut; by default none is. */
  readonly columns?: number
  /** Whether headings are bold. Default false. */
  readonly colour?: boolean
}

/** Column where names begin. */
const NAME_COLUMN = 12
const NS_PER_SECOND = 1e9

type Count = SummaryCount<BaseEvent>
type Line = readonly [amount: string, name: string]

/** A report as a table, with a line end behind each line. Names are made safe for a terminal. */
export function tableOf(
  events: readonly EventSpec[],
  report: SummaryHead,
  { columns = Number.POSITIVE_INFINITY, colour = false }: SummaryTextOptions = {},
): string {
  const lines = [...headLines(events, report)]
  for (const { title, rows } of sections(events, report as SummaryHead & SummaryRow)) {
    if (rows.length === 0) continue
    lines.push('', colour ? `\x1b[1m${title}\x1b[0m` : title)
    for (const [amount, name] of rows)
      lines.push(cut(`${amount.padStart(NAME_COLUMN - 2)}  ${name}`, columns))
  }
  if (report.isCut)
    lines.push('', 'more commands than are kept: small ones are missing, and ~ may be too large')
  return lines.map((line) => `${line}\n`).join('')
}

/** A line for each group of counts, and before them one for each that has a rate. */
function headLines(events: readonly EventSpec[], report: SummaryHead): string[] {
  const rates: string[] = []
  const lines = new Map<string, string[]>()
  for (const { kind, summary } of events) {
    for (const count of summary?.counts ?? []) {
      const value = valueAt(report, count.at)
      if (value === undefined) continue
      const text = countTextOf(count, value)
      if (text === '') continue
      if (count.perSecond === undefined) {
        const line = count.line ?? kind
        lines.set(line, [...(lines.get(line) ?? []), text])
      } else {
        const rate = rateText(valueAt(report, count.perSecond) ?? 0)
        rates.push(`${text} in ${durationText(report.seconds * NS_PER_SECOND)} (${rate} per second)`)
      }
    }
  }
  return [...rates, ...[...lines.values()].map((parts) => parts.join(', '))]
}

function valueAt(report: object, path: string): number | undefined {
  let value: unknown = report
  for (const member of path.split('.')) value = (value as SummaryRow | undefined)?.[member]
  return value as number | undefined
}

function countTextOf({ text, none, unit = 'count' }: Count, value: number): string {
  if (value === 0 && none !== undefined) return none
  return `${amountText(unit, value)} ${wordsFor(value, text)}`
}

function wordsFor(value: number, words: Words): string {
  return typeof words === 'string' ? words : value === 1 ? words[0] : words[1]
}

function rateText(perSecond: number): string {
  return perSecond >= 10 ? countText(Math.round(perSecond)) : perSecond.toFixed(1)
}

function sections(
  events: readonly EventSpec[],
  report: SummaryRow,
): { readonly title: string; readonly rows: Line[] }[] {
  return listsOf(events).map((list) => {
    const rows = (report[list.at] ?? []) as readonly SummaryRow[]
    return { title: list.title, rows: rows.map((row) => lineOf(list, row)) }
  })
}

function lineOf(list: SummaryList<BaseEvent>, row: SummaryRow): Line {
  const [first, ...others]: readonly SummaryNumber<BaseEvent>[] =
    list.type === 'sums' ? list.numbers : [list.number]
  const { name, unit } = first as SummaryNumber<BaseEvent>
  const amount = `${row['errorAtMost'] === undefined ? '' : '~'}${amountText(unit, row[name] as number)}`
  const about = list.members.map((member) => memberText(member, row)).join('')
  const more = others.map((number) => {
    const value = row[number.name] as number | undefined
    if (value === undefined) return ''
    return `${number.label ?? ', '}${amountText(number.unit, value)}${wordsFor(value, number.end ?? '')}`
  })
  return [amount, about + more.join('')]
}

function memberText({ name, type, label = '', text }: SummaryMember<BaseEvent>, row: SummaryRow): string {
  if (text === null) return ''
  if (text !== undefined) {
    const shown = text(row)
    return shown === undefined ? '' : label + sanitise(shown)
  }
  const value = row[name]
  if (value === undefined || value === '') return ''
  // Words of a shell are safe for a terminal.
  if (type === 'command') return label + (value as string)
  if (type !== 'uid') return label + sanitise(String(value))
  const user = row['name'] as string | undefined
  return user === undefined
    ? `${label}uid ${String(value)}`
    : `${label}${sanitise(user)} (uid ${String(value)})`
}

function amountText(unit: SummaryUnit, value: number): string {
  if (unit === 'count') return countText(value)
  return unit === 'bytes' ? bytesText(value) : durationText(value * NS_PER_SECOND)
}

function cut(line: string, columns: number): string {
  return line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`
}
