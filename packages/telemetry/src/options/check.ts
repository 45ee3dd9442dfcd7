import { OptionError } from '../errors.js'
import type { Settings } from './declare.js'
import { checkTogether } from './wishes.js'
import { defaultOf, type ObjectOfClass, type OptionSpec, type OptionSpecs, type SettingsOf } from './spec.js'

/**
 * Checks options against their declarations and fills in the defaults.
 *
 * @param specs those of a catalogue
 * @throws {OptionError} for unknown options, values out of range, and contradictions
 */
export function checkOptions<S extends OptionSpecs>(specs: S, options: object): Settings & SettingsOf<S> {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(specs, name))
  if (unknown !== undefined) {
    const known = Object.keys(specs).join(', ')
    throw new OptionError(unknown, `Unknown option "${unknown}": use one of ${known}`)
  }
  const given = new Map<string, unknown>(Object.entries(options).filter(([, value]) => value !== undefined))
  const settings: Record<string, unknown> = {}
  for (const [name, spec] of Object.entries(specs)) {
    const value = given.has(name) ? given.get(name) : fallback(spec)
    if (value === undefined) continue
    const problem = problemOf(name, spec, value)
    if (problem !== undefined) throw new OptionError(name, problem)
    settings[name] = spec.type === 'members' ? spec.checked(name, value) : value
  }
  if (settings['bypass'] === true) checkBypass(specs, given)
  checkTogether(given)
  return settings as Settings & SettingsOf<S>
}

/** The value of an option that is not given. */
function fallback(spec: OptionSpec): unknown {
  if (spec.type !== 'path' || spec.environment === undefined) return defaultOf(spec)
  const path = process.env[spec.environment]
  return path === '' ? undefined : path
}

/** Refuses options about making events of records: with bypass they stay records. */
function checkBypass(specs: OptionSpecs, given: ReadonlyMap<string, unknown>): void {
  for (const [name, { notWithBypass }] of Object.entries(specs)) {
    if (notWithBypass !== true || !given.has(name) || given.get(name) === false) continue
    throw new OptionError(name, `Option "${name}" has no meaning with "bypass": leave one of them out`)
  }
}

/** What is wrong with a value: callers may be JavaScript, and a wrong word must not act as the default. */
function problemOf(name: string, spec: OptionSpec, value: unknown): string | undefined {
  const mustBe = (isRight: boolean, what: string): string | undefined =>
    isRight ? undefined : `Option "${name}" must be ${what}: ${String(value)}`
  switch (spec.type) {
    case 'flag':
      return mustBe(typeof value === 'boolean', 'true or false')
    case 'path':
      return mustBe(typeof value === 'string', 'a path')
    case 'places':
      return mustBe(
        typeof value === 'boolean' || isPlaces(value),
        'true, false, or a list of absolute paths, at least one',
      )
    case 'instance':
      return mustBe(isInstance(value, spec.of), spec.of.noun)
    case 'choice':
      return mustBe(
        spec.words.includes(value as string) || isInstance(value, spec.or),
        choices([...spec.words, ...(spec.or === undefined ? [] : [spec.or.noun])]),
      )
    case 'members':
      return mustBe(typeof value === 'object' && value !== null && !Array.isArray(value), 'an object')
    case 'numbers':
      return mustBe(
        Array.isArray(value) && value.every((one) => isWithin(one, spec)),
        `a list of ${spec.item}s, each a whole number from ${spec.min} to ${spec.max}`,
      )
    case 'texts':
      return mustBe(
        Array.isArray(value) && value.length <= spec.max && value.every((one) => isText(one, spec.maxChars)),
        `a list of at most ${spec.max} ${spec.item}s, each a text of 1 to ${spec.maxChars} characters`,
      )
    case 'list':
      return listProblem(name, spec, value)
    default:
      return (
        mustBe(isWithin(value, spec), `a whole number from ${spec.min} to ${spec.max}`) ??
        mustBe(spec.isPowerOfTwo !== true || isPowerOfTwo(value as number), 'a power of two')
      )
  }
}

function listProblem(
  name: string,
  { item, words }: { readonly item: string; readonly words: readonly string[] },
  value: unknown,
): string | undefined {
  const known = words.join(', ')
  if (!Array.isArray(value) || value.length === 0) {
    return `Option "${name}" must name at least one: use ${known}`
  }
  const strange = value.findIndex((word) => !words.includes(word))
  return strange === -1 ? undefined : `Unknown ${item} "${String(value[strange])}": use ${known}`
}

function isText(value: unknown, maxChars: number): boolean {
  return typeof value === 'string' && value.length > 0 && value.length <= maxChars
}

function isPlaces(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0) return false
  return value.every((one) => typeof one === 'string' && one.startsWith('/') && !one.includes('\0'))
}

function isInstance(value: unknown, of: ObjectOfClass | undefined): boolean {
  return of !== undefined && value instanceof of.class
}

function isWithin(value: unknown, { min, max }: { readonly min: number; readonly max: number }): boolean {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value))
}

/** `one, two or three`. */
function choices(words: readonly string[]): string {
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}
