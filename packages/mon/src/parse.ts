import { parseArgs } from 'node:util'
import { sanitise } from 'quark'
import { type MissingOption, missingOptions, type Option, optionName, options } from './options.js'
import { defaultSettings, type Settings } from './settings.js'
import { ValueError } from './values.js'

/** The command line cannot be followed; the message says what to give instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What a command line asks for. */
export type Invocation =
  | { readonly show: 'help' | 'version' }
  | { readonly show: 'events'; readonly settings: Settings }

/** One option as it was given: `spelling` has the dashes that were used. */
interface Given {
  readonly spelling: string
  readonly option: Option
  readonly value: string
}

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number]
type OptionToken = Extract<Token, { kind: 'option' }>

const DEFAULT_MAX_LENGTH = 10_000

const byLong = new Map(options.map((option) => [option.long, option]))
const missingByLong = new Map(missingOptions.map((option) => [option.long, option]))

/**
 * Reads the arguments of a command line.
 *
 * @throws {UsageError} naming the option, the value, and what to do
 */
export function parseCommandLine(args: readonly string[]): Invocation {
  const tokens = tokensOf(args)
  if (tokens.some((token) => (token.kind === 'option' ? token.name === 'help' : isHelpCommand(token)))) {
    return { show: 'help' }
  }
  const given = tokens.flatMap((token) => checkToken(token) ?? [])
  if (given.some(({ option }) => option.long === 'version')) return { show: 'version' }

  checkConflicts(given)
  const settings = defaultSettings()
  for (const { spelling, option, value } of given) apply(settings, spelling, option, value)
  checkTogether(settings)
  return { show: 'events', settings }
}

/** The arguments cut into options and their values; `parseArgs` is not strict because its messages do not help. */
function tokensOf(args: readonly string[]): Token[] {
  const known = Object.fromEntries(
    [...options, ...missingOptions].map((option) => [
      option.long,
      {
        type: option.argument === undefined ? ('boolean' as const) : ('string' as const),
        ...(option.short === undefined ? {} : { short: option.short }),
      },
    ]),
  )
  return parseArgs({
    args: fillOptionalArguments(args),
    options: known,
    strict: false,
    allowPositionals: true,
    tokens: true,
  }).tokens
}

/** `parseArgs` knows no optional arguments: a bare `--env` gets the value that it stands for. */
function fillOptionalArguments(args: readonly string[]): string[] {
  const end = args.includes('--') ? args.indexOf('--') : args.length
  return args.map((arg, index) => {
    const filled = options.find(
      (option) => option.withoutArgument !== undefined && arg === optionName(option),
    )
    return filled === undefined || index >= end ? arg : `${arg}=${filled.withoutArgument}`
  })
}

function isHelpCommand(token: Token): boolean {
  return token.kind === 'positional' && token.index === 0 && token.value === 'help'
}

function checkToken(token: Token): Given | undefined {
  if (token.kind === 'option-terminator') return undefined
  if (token.kind === 'positional') {
    throw new UsageError(
      `Unexpected argument ${quote(token.value)}: quark-mon takes options only, see quark-mon --help`,
    )
  }
  const missing = missingByLong.get(token.name)
  if (missing !== undefined) throw notSupported(missing, token.rawName)
  const option = byLong.get(token.name)
  if (option === undefined) throw unknownOption(token)
  return { spelling: token.rawName, option, value: checkArgument(token, option) }
}

function checkArgument(token: OptionToken, option: Option): string {
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
  return value
}

function notSupported(option: MissingOption, spelling: string): UsageError {
  return new UsageError(
    `${spelling} cannot be used: ${option.feature} is not supported yet (remove ${spelling})`,
  )
}

function unknownOption({ name, rawName }: OptionToken): UsageError {
  const nearest = rawName.startsWith('--') ? nearestLong(name) : undefined
  const advice = nearest === undefined ? 'see quark-mon --help' : `did you mean --${nearest}?`
  return new UsageError(`Unknown option ${quote(rawName)}: ${advice}`)
}

/** The option whose name is at most two edits away. */
function nearestLong(name: string): string | undefined {
  const ranked = options
    .map(({ long }) => ({ long, edits: editDistance(name, long) }))
    .sort((a, b) => a.edits - b.edits)
  const best = ranked[0]
  return best !== undefined && best.edits <= 2 && best.edits < name.length ? best.long : undefined
}

/** How many characters have to be inserted, removed or replaced to make one word of the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replace = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}

function checkConflicts(given: readonly Given[]): void {
  for (const { option, spelling } of given) {
    const other = given.find((candidate) => option.conflicts?.includes(candidate.option.long))
    if (other !== undefined) {
      throw new UsageError(`${spelling} and ${other.spelling} contradict each other: give one of them`)
    }
  }
}

function apply(settings: Settings, spelling: string, option: Option, value: string): void {
  try {
    option.set(settings, value)
  } catch (error) {
    if (!(error instanceof ValueError)) throw error
    throw new UsageError(`${spelling} cannot be ${quote(value)}: ${error.message}`)
  }
}

function checkTogether({ bufferGraph, quark }: Settings): void {
  const maxLength = quark.maxLength ?? DEFAULT_MAX_LENGTH
  if (bufferGraph !== undefined && bufferGraph > maxLength) {
    throw new UsageError(
      `--buffer-graph cannot hold ${bufferGraph} records when --max-length is ${maxLength}: ` +
        `give --max-length ${bufferGraph} or more`,
    )
  }
}

function quote(text: string): string {
  return `"${sanitise(text)}"`
}
