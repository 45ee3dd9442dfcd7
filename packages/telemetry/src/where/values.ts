/** Values of filters: how they are checked, compiled, and read from a command line. */

import { suggestion } from '../options/suggest.js'
import { networkOf } from './address.js'
import { compileGlob, GlobError } from './glob.js'
import type { PredicateType } from './predicates.js'

/** What a value cannot be. The message says what to give instead. */
export class ValueProblem extends Error {
  override readonly name = 'ValueProblem'
}

/** Words that values of some types are checked against. */
export interface Words {
  /** Kinds of events. */
  readonly kinds: readonly string[]
  /** What can happen. */
  readonly actions: readonly string[]
}

const MAX_PID = 0x7fff_ffff
const MAX_UID = 0xffff_ffff
const MAX_PORT = 0xffff
/** A year: longer times are a mistake. */
const MAX_MS = 366 * 86_400_000
/** Fewer characters of an id are those of too many containers. */
const MIN_ID_LENGTH = 8

/** Users by name. */
export type UserIds = (name: string) => number | undefined

/** How values of a type are treated. */
interface ValueType {
  /** In words, for the docs. */
  readonly values: string
  /** @throws {ValueProblem} for a value that is not one of the type */
  check(value: unknown, words: Words): void
  /** The values of one option on a command line, which are checked afterwards. Default: the text as it is. */
  parse?(text: string): unknown[]
}

function list(text: string): string[] {
  return text.split(',').map((part) => part.trim())
}

function numbers(text: string): (number | string)[] {
  return list(text).map((part) => (/^\d+$/.test(part) ? Number(part) : part))
}

function checkGlob(value: unknown, isPath: boolean): void {
  if (typeof value !== 'string') throw new ValueProblem('give a pattern as text')
  try {
    compileGlob(value, isPath)
  } catch (error) {
    if (!(error instanceof GlobError)) throw error
    throw new ValueProblem(error.message, { cause: error })
  }
}

function checkWord(value: unknown, words: readonly string[]): void {
  if (typeof value !== 'string' || !words.includes(value))
    throw new ValueProblem(suggestion(String(value), words))
}

/** The types of filters' values. */
export const valueTypes = {
  pids: {
    values: 'pids',
    check: (value) => {
      if (!isWhole(value, 0, MAX_PID))
        throw new ValueProblem(`give a pid, a whole number from 0 to ${MAX_PID}`)
    },
    parse: numbers,
  },
  users: {
    values: 'names of users or uids',
    check: (value) => {
      if (typeof value === 'string' && value !== '' && !/^\d+$/.test(value)) return
      if (!isWhole(value, 0, MAX_UID))
        throw new ValueProblem(`give the name of a user, or a uid from 0 to ${MAX_UID}`)
    },
    parse: numbers,
  },
  uids: {
    values: 'uids or ranges such as `"0-999"` and `"1000-"`',
    check: (value) => void uidRange(value),
    parse: numbers,
  },
  globs: { values: 'globs', check: (value) => checkGlob(value, false) },
  paths: { values: 'globs of paths', check: (value) => checkGlob(value, true) },
  cgroups: {
    values: 'paths of cgroups',
    check: (value) => {
      if (typeof value !== 'string' || !value.startsWith('/')) {
        throw new ValueProblem(
          'give a path within the hierarchy, which begins with a slash, such as /system.slice',
        )
      }
    },
  },
  containers: {
    values: 'ids of containers',
    check: (value) => {
      if (typeof value === 'string' && /^[\w.@:-]+$/.test(value) && value.length >= MIN_ID_LENGTH) return
      throw new ValueProblem(`give ${MIN_ID_LENGTH} or more characters of a container's id`)
    },
    parse: list,
  },
  ports: {
    values: 'ports or ranges such as `"8000-8999"`',
    check: (value) => void portRange(value),
    parse: numbers,
  },
  hosts: {
    values: 'addresses, networks such as `10.0.0.0/8`, names or globs',
    check: (value) => checkHost(value),
    parse: list,
  },
  names: {
    values: 'globs of names',
    check: (value) => checkGlob(value, false),
  },
  kinds: {
    values: 'kinds of events',
    check: (value, { kinds }) => checkWord(value, kinds),
    parse: list,
  },
  actions: {
    values: 'actions',
    check: (value, { actions }) => checkWord(value, actions),
    parse: list,
  },
  flag: {
    values: '`true`, `false`',
    check: (value) => {
      if (typeof value !== 'boolean') throw new ValueProblem('give true or false')
    },
    parse: () => [true],
  },
  ms: {
    values: 'a number of ms',
    check: (value) => {
      if (typeof value === 'number' && value >= 0 && value <= MAX_MS) return
      throw new ValueProblem('give a time from 0 to 366 days, such as 200ms, 5s, 2m or 1h')
    },
    parse: (text) => [timeMs(text)],
  },
} as const satisfies Readonly<Record<PredicateType, ValueType>>

/** How values of a type are treated. */
export function valueType(type: PredicateType): ValueType {
  return valueTypes[type]
}

function isWhole(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max
}

/** The lowest and highest uid of a range. @throws {ValueProblem} */
export function uidRange(value: unknown): Range {
  return rangeOf(value, MAX_UID, 'uid', 'such as 1000, 0-999 or 1000-')
}

/** The lowest and highest port of a range. @throws {ValueProblem} */
export function portRange(value: unknown): Range {
  return rangeOf(value, MAX_PORT, 'port', 'such as 443, 8000-8999 or 1024-')
}

type Range = readonly [lowest: number, highest: number]

function rangeOf(value: unknown, max: number, what: string, examples: string): Range {
  if (isWhole(value, 0, max)) return [value, value]
  const [, from = '', dash, to = ''] = (typeof value === 'string' && /^(\d*)(-)?(\d*)$/.exec(value)) || []
  if (from !== '' || (dash !== undefined && to !== '')) {
    const lowest = from === '' ? 0 : Number(from)
    const highest = dash === undefined ? lowest : to === '' ? max : Number(to)
    if (lowest > highest) throw new ValueProblem(`no ${what} is in it: give ${highest}-${lowest}`)
    if (highest <= max) return [lowest, highest]
  }
  throw new ValueProblem(`give a ${what} or a range up to ${max}, ${examples}`)
}

/** What follows a colon is a port, unless there are several. */
const WITH_PORT = /^([^:]+|\[.*\]):(\d+)$/
const EXAMPLES = 'such as 192.0.2.1, 10.0.0.0/8, 2001:db8::/32 or *.example.org'

function checkHost(value: unknown): void {
  if (typeof value !== 'string' || value === '')
    throw new ValueProblem(`give an address, a network or a name, ${EXAMPLES}`)
  if (networkOf(value) !== undefined) return
  const [ip = '', bits] = value.split('/')
  const whole = bits === undefined ? undefined : networkOf(ip)
  if (whole !== undefined)
    throw new ValueProblem(`give a network from ${ip}/0 to ${ip}/${ip.includes(':') ? 128 : 32}`)
  const [, host, port] = WITH_PORT.exec(value) ?? []
  if (host !== undefined)
    throw new ValueProblem(`give ${host.replace(/[[\]]/g, '')}, and ${port as string} as the port`)
  const [, inUrl] = /^\w+:\/\/([^/:]+)/.exec(value) ?? []
  if (inUrl !== undefined) throw new ValueProblem(`give the name alone: ${inUrl}`)
  if (value.includes('%'))
    throw new ValueProblem(`leave out what names the interface: ${value.replace(/%.*/, '')}`)
  if (/[:/]/.test(value) || /^[\d.]+$/.test(value))
    throw new ValueProblem(`it is no address and no network: give one ${EXAMPLES}`)
  checkGlob(value, false)
}

const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  '': 1000,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** A time with its unit, seconds without; NaN for other text. */
function timeMs(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text) ?? []
  return digits === '' ? Number.NaN : Number(digits) * (UNITS_MS[unit] as number)
}
