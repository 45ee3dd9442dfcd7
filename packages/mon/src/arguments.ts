/** Parses a command line by a table of options; errors name the option. */

import { parseArgs } from 'node:util'
import { OptionError, sanitise } from 'quark-telemetry'
import { EXIT_STATUSES } from './exit-status.js'
import { type MissingOption, type Option, optionName } from './option.js'
import { nearestWord, ValueError } from './values.js'

/** The command line is not valid; the message says what to give instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What every command exits with when the command line is wrong. */
export const EXIT_USAGE = EXIT_STATUSES.usage.status

/** Whether an error is about what was asked for, not about what happened. */
export function isUsageError(error: unknown): boolean {
  return error instanceof UsageError || error instanceof OptionError
}

/** The options and operands that a command accepts. */
export interface CommandTable<Settings> {
  /** How it is called: `quark-mon doctor`. */
  readonly command: string
  readonly options: readonly Option<Settings>[]
  /** Options that are refused by name. */
  readonly missing?: readonly MissingOption[]
  /** Whether what follows `--` is a command with arguments of its own. */
  readonly takesCommand?: boolean
  /** Whether it takes operands: arguments that are not options. */
  readonly hasOperands?: boolean
  /** Words that may be its first argument, for suggestions. */
  readonly words?: readonly string[]
}

/** A parsed command line: a request for help or the version, or the settings and operands. */
export type Arguments<Settings> =
  | { readonly show: 'help' | 'version' }
  | {
      readonly show: 'result'
      readonly settings: Settings
      readonly operands: readonly string[]
      /** What follows `--`, for a command that takes one; undefined without `--`. */
      readonly command: readonly string[] | undefined
    }

/** One option as it was given: `spelling` has the dashes that were used. */
interface Given<Settings> {
  readonly spelling: string
  readonly option: Option<Settings>
  readonly value: string
}

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number]
type OptionToken = Extract<Token, { kind: 'option' }>

/**
 * Parses the arguments of a command. Help is shown even if the rest is wrong.
 *
 * @param settings the defaults; the given options are written into it
 * @throws {UsageError} naming the option, the value, and what to do
 */
export function readArguments<Settings>(
  args: readonly string[],
  table: CommandTable<Settings>,
  settings: Settings,
): Arguments<Settings> {
  const end = table.takesCommand === true ? args.indexOf('--') : -1
  const tokens = tokensOf(end === -1 ? args : args.slice(0, end), table)
  if (tokens.some((token) => (token.kind === 'option' ? token.name === 'help' : isHelpCommand(token)))) {
    return { show: 'help' }
  }
  const given = tokens.flatMap((token) => (token.kind === 'option' ? checkOption(token, table) : []))
  const operands = tokens.flatMap((token) => (token.kind === 'positional' ? token.value : []))
  if (operands[0] !== undefined && table.hasOperands !== true) throw unexpected(operands[0], table)
  if (given.some(({ option }) => option.long === 'version')) return { show: 'version' }
  checkConflicts(given)
  for (const { spelling, option, value } of given) apply(settings, spelling, option, value)
  return { show: 'result', settings, operands, command: end === -1 ? undefined : args.slice(end + 1) }
}

/** Splits the arguments into options and values; `parseArgs` is not strict because its messages do not help. */
function tokensOf<S>(args: readonly string[], { options, missing = [] }: CommandTable<S>): Token[] {
  const known = Object.fromEntries(
    [...options, ...missing].map((option) => [
      option.long,
      {
        type: option.argument === undefined ? ('boolean' as const) : ('string' as const),
        ...(option.short === undefined ? {} : { short: option.short }),
      },
    ]),
  )
  return parseArgs({
    args: fillOptionalArguments(args, options),
    options: known,
    strict: false,
    allowPositionals: true,
    tokens: true,
  }).tokens
}

/** `parseArgs` knows no optional arguments: a bare `--env` or `-F` gets the value that it stands for. */
function fillOptionalArguments<S>(args: readonly string[], options: readonly Option<S>[]): string[] {
  const end = args.includes('--') ? args.indexOf('--') : args.length
  return args.flatMap((arg, index) => {
    if (index >= end) return arg
    if (/^-[A-Za-z]+$/.test(arg)) return fillLetters(arg, options)
    const filled = options.find(
      (option) => option.withoutArgument !== undefined && arg === optionName(option),
    )
    return filled === undefined ? arg : `${arg}=${filled.withoutArgument}`
  })
}

/** Letters that are joined, such as `-sF`. What is behind one with an optional argument is that only if it is more than letters. */
function fillLetters<S>(arg: string, options: readonly Option<S>[]): string[] {
  const filled: string[] = []
  for (let at = 1; at < arg.length; at += 1) {
    const letter = arg[at] as string
    const option = options.find(({ short }) => short === letter)
    if (option === undefined) return [arg]
    if (option.withoutArgument !== undefined) filled.push(`${optionName(option)}=${option.withoutArgument}`)
    else if (option.argument !== undefined) return [...filled, `-${arg.slice(at)}`]
    else filled.push(`-${letter}`)
  }
  return filled
}

function isHelpCommand(token: Token): boolean {
  return token.kind === 'positional' && token.index === 0 && token.value === 'help'
}

function checkOption<S>(token: OptionToken, table: CommandTable<S>): Given<S> {
  const missing = table.missing?.find(({ long }) => long === token.name)
  if (missing !== undefined) throw notSupported(missing, token.rawName)
  const option = table.options.find(({ long }) => long === token.name)
  if (option === undefined) throw unknownOption(token, table)
  return { spelling: token.rawName, option, value: checkArgument(token, option) }
}

function checkArgument<S>(token: OptionToken, option: Option<S>): string {
  const { rawName, value, inlineValue } = token
  if (option.argument === undefined) {
    if (value === undefined) return ''
    throw new UsageError(`${rawName} takes no value: remove ${quote(`=${value}`)}`)
  }
  if (value === undefined)
    throw new UsageError(`${rawName} needs a value: give ${rawName} ${option.argument}`)
  if (inlineValue === false && value.startsWith('-') && value !== '-') {
    throw new UsageError(
      `${rawName} needs a value, and ${quote(value)} looks like an option: ` +
        `give ${optionName(option)}=${option.argument}`,
    )
  }
  // `-F=/etc` means what `--file=/etc` does: as a path "=/etc" it would match nothing, silently.
  return inlineValue === true && !rawName.startsWith('--') && value.startsWith('=') ? value.slice(1) : value
}

function notSupported(option: MissingOption, spelling: string): UsageError {
  return new UsageError(
    `${spelling} cannot be used: ${option.instead ?? `${option.feature} is not supported yet`} (remove ${spelling})`,
  )
}

function unknownOption<S>({ name, rawName }: OptionToken, { command, options }: CommandTable<S>): UsageError {
  const longs = options.map(({ long }) => long)
  const nearest = rawName.startsWith('--') ? nearestWord(name, longs) : undefined
  const advice = nearest === undefined ? `see ${command} --help` : `did you mean --${nearest}?`
  return new UsageError(`Unknown option ${quote(rawName)}: ${advice}`)
}

function unexpected<S>(operand: string, { command, words = [], takesCommand }: CommandTable<S>): UsageError {
  const nearest = nearestWord(operand, words)
  const otherwise =
    takesCommand === true
      ? `write -- in front of a command, as in ${command} -- ${quoteWord(operand)}`
      : `${command} takes options only, see ${command} --help`
  const advice = nearest === undefined ? otherwise : `did you mean ${command} ${nearest}?`
  return new UsageError(`Unexpected argument ${quote(operand)}: ${advice}`)
}

function checkConflicts<S>(given: readonly Given<S>[]): void {
  for (const { option, spelling } of given) {
    const other = given.find((candidate) => option.conflicts?.includes(candidate.option.long))
    if (other !== undefined) {
      throw new UsageError(`${spelling} and ${other.spelling} contradict each other: give one of them`)
    }
  }
}

function apply<S>(settings: S, spelling: string, option: Option<S>, value: string): void {
  try {
    option.set(settings, value)
  } catch (error) {
    if (!(error instanceof ValueError)) throw error
    throw new UsageError(`${spelling} cannot be ${quote(value)}: ${error.message}`)
  }
}

/** Text from a command line, for a message. */
export function quote(text: string): string {
  return `"${sanitise(text)}"`
}

/** A word as a shell reads it, if it needs no more than quotes for that. */
function quoteWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : quote(text)
}
