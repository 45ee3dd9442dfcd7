/** The lists of a summary: sums by name, and single events. */

import type { BaseEvent } from '../event/event.js'
import type {
  SummaryList,
  SummaryMember,
  SummaryNumber,
  SummaryRow,
  SummarySums,
  SummaryTop,
  SummaryUnit,
} from '../event/summary-spec.js'
import { shellWord } from '../output/shell.js'
import { ownName, type TopRow, TopSums, TopValues } from './top.js'

/** Most names of a list of which sums are kept. */
export const MAX_NAMES = 1024
/** Of longer names the end is kept, and of arguments the begin. */
const MAX_NAME_CHARS = 256
const MAX_ARGUMENTS_CHARS = 256
const NS_PER_SECOND = 1e9

type UserName = ((uid: number) => string | undefined) | undefined
type Row = Record<string, unknown>
type Member = SummaryMember<BaseEvent>

/** A list in the making. */
export interface ListState {
  /** Member of the report. */
  readonly at: string
  readonly isKnown: boolean
  /** There were more names than are kept. */
  readonly isCut: boolean
  add(event: BaseEvent): void
  /** The largest first. */
  rows(userName: UserName): SummaryRow[]
}

/** A list, which is empty. It shows so many rows. */
export function listState(list: SummaryList<BaseEvent>, rows: number): ListState {
  return list.type === 'sums' ? new Sums(list, rows) : new Top(list, rows)
}

/** What is kept of a name. */
interface Kept {
  members: Row | undefined
  /** Of all numbers but the first. */
  readonly sums: (number | undefined)[]
}

class Sums implements ListState {
  readonly at: string
  readonly #spec: SummarySums<BaseEvent>
  readonly #rows: number
  readonly #sums: TopSums<Kept>
  readonly #others: readonly SummaryNumber<BaseEvent>[]
  isKnown: boolean

  constructor(spec: SummarySums<BaseEvent>, rows: number) {
    const [, ...others] = spec.numbers
    this.at = spec.at
    this.#spec = spec
    this.#rows = rows
    this.#others = others
    this.#sums = new TopSums(MAX_NAMES, () => ({ members: undefined, sums: others.map(() => undefined) }))
    this.isKnown = spec.isAlways === true
  }

  get isCut(): boolean {
    return this.#sums.isCut
  }

  add(event: BaseEvent): void {
    const weight = this.#spec.numbers[0].of(event)
    if (weight !== undefined) this.isKnown = true
    // Without others it takes a place only for a weight.
    if (!((weight ?? 0) > 0) && this.#others.length === 0) return
    const { members } = this.#spec
    let name = ''
    for (const [i, member] of members.entries()) {
      const value = member.of(event)
      if (i === 0 && value === undefined) return
      name += `${i === 0 ? '' : '\0'}${value === undefined ? '' : textOf(member, value)}`
    }
    const kept = this.#sums.add(name, weight ?? 0)
    if (kept === undefined) return
    kept.members ??= membersOf(members, event)
    for (const [i, { of }] of this.#others.entries()) {
      const more = of(event)
      if (more !== undefined) kept.sums[i] = (kept.sums[i] ?? 0) + more
    }
  }

  rows(userName: UserName): SummaryRow[] {
    return this.#sums.rows(this.#rows).map((row) => this.#rowOf(row, userName))
  }

  #rowOf({ weight, error, thing }: TopRow<Kept>, userName: UserName): SummaryRow {
    const [first] = this.#spec.numbers
    const row = withUsers(this.#spec.members, thing.members as Row, userName)
    row[first.name] = inUnit(first.unit, weight)
    if (error !== 0) row['errorAtMost'] = inUnit(first.unit, error)
    for (const [i, number] of this.#others.entries()) {
      const sum = thing.sums[i]
      if (sum !== undefined) row[number.name] = inUnit(number.unit, sum)
    }
    return row
  }
}

class Top implements ListState {
  readonly at: string
  readonly isCut = false
  readonly #spec: SummaryTop<BaseEvent>
  readonly #values: TopValues<Row>
  isKnown: boolean

  constructor(spec: SummaryTop<BaseEvent>, rows: number) {
    const { onePer } = spec
    this.at = spec.at
    this.#spec = spec
    this.#values = new TopValues(rows, (row) => (onePer === undefined ? undefined : row[onePer]))
    this.isKnown = spec.isAlways === true
  }

  add(event: BaseEvent): void {
    const value = this.#spec.number.of(event)
    if (value === undefined) return
    this.isKnown = true
    if (value > this.#values.least) this.#values.offer(value, membersOf(this.#spec.members, event))
  }

  rows(userName: UserName): SummaryRow[] {
    const { members, number } = this.#spec
    return this.#values.rows().map(({ value, thing }) => {
      const row = withUsers(members, thing, userName)
      row[number.name] = inUnit(number.unit, value)
      return row
    })
  }
}

/** The members of a row, as copies that hold nothing of the event. */
function membersOf(members: readonly Member[], event: BaseEvent): Row {
  const row: Row = {}
  for (const member of members) {
    const value = member.of(event)
    if (value === undefined) continue
    row[member.name] = typeof value === 'number' ? value : ownName(textOf(member, value))
  }
  return row
}

function textOf({ type }: Member, value: string | number | readonly string[]): string {
  if (typeof value === 'number') return `${value}`
  if (typeof value !== 'string') return commandOf(value)
  if (type === 'command' || value.length <= MAX_NAME_CHARS) return value
  return `…${value.slice(1 - MAX_NAME_CHARS)}`
}

/** Arguments as one could paste them into a shell, maybe cut. */
function commandOf(argv: readonly string[]): string {
  let text = ''
  for (const argument of argv) {
    const word = shellWord(argument.slice(0, MAX_ARGUMENTS_CHARS))
    text += text === '' ? word : ` ${word}`
    if (text.length > MAX_ARGUMENTS_CHARS) return `${text.slice(0, MAX_ARGUMENTS_CHARS - 1)}…`
  }
  return text
}

/** A new row with the names of users beside their numbers. */
function withUsers(members: readonly Member[], row: Row, userName: UserName): Row {
  const whole: Row = {}
  for (const { name, type } of members) {
    const value = row[name]
    if (value === undefined) continue
    whole[name] = value
    const user = type === 'uid' ? userName?.(value as number) : undefined
    if (user !== undefined) whole['name'] = user
  }
  return whole
}

/** A number as reports have it: seconds for ns. */
export function inUnit(unit: SummaryUnit | undefined, value: number): number {
  return unit === 'ns' ? value / NS_PER_SECOND : value
}
