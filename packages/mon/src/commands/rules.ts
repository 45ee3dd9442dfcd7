/** quark-mon rules: what rules say, whether they are right, and where they are decided. */

import { Quark, RULE_FIELDS, RuleError, type RuleSet, sanitise, testRules } from 'quark-telemetry'
import { type CommandTable, EXIT_USAGE, isUsageError, readArguments, UsageError } from '../arguments.js'
import { tableHelp } from '../help.js'
import { print } from '../io.js'
import type { OptionGroup } from '../option.js'
import { errorText } from '../report.js'
import { problemsText, readRules, warningsText } from '../rule-file.js'
import { durationMs } from '../values.js'

const NAME = 'quark-mon rules'

/** What the command can do with a file of rules. */
export const RULE_VERBS = ['check', 'explain', 'test', 'fields'] as const
type Verb = (typeof RULE_VERBS)[number]

interface RulesSettings {
  /** So long rules are asked about what happens. */
  liveMs?: number
}

/** The options of the command, for its help and the manual page. */
export const rulesOptions: OptionGroup<RulesSettings> = {
  title: 'Options of rules',
  options: [
    {
      long: 'live',
      argument: 'TIME',
      help: 'explain: ask the rules about all that happens for this time, and write how often each was asked and matched, and what the kernel left out',
      more: 'In seconds, or with a unit. Needs the rights to watch.',
      set: (settings, value) => void (settings.liveMs = durationMs(value)),
    },
    { long: 'help', short: 'h', help: 'write this text and end', set: () => {} },
  ],
}

const TABLE: CommandTable<RulesSettings> = { command: NAME, options: rulesOptions.options, hasOperands: true }

/** The text of `quark-mon rules --help`. */
export function rulesHelp(columns: number): string {
  return tableHelp(
    {
      usage: [`${NAME} check|test FILE`, `${NAME} explain [--live TIME] FILE`, `${NAME} fields`],
      summary:
        'check finds everything that is wrong in a file of rules. explain writes each rule with where it is decided and why. test ' +
        'runs the tests that stand beside the rules. fields lists what rules can ask. FILE may be -, which is standard ' +
        'input. Exits 0 when all is right, 1 when something is wrong, and 2 when the command is used wrongly.',
      groups: [rulesOptions],
    },
    columns,
  )
}

/**
 * Runs `quark-mon rules`.
 *
 * @param args what follows the word rules
 * @returns the exit code
 */
export async function rules(args: readonly string[]): Promise<number> {
  try {
    const read = readArguments<RulesSettings>(args, TABLE, {})
    if (read.show !== 'result') {
      await print(rulesHelp(process.stdout.columns ?? 80))
      return 0
    }
    const [verb, path] = operandsOf(read.operands)
    const { liveMs } = read.settings
    if (liveMs !== undefined && verb !== 'explain') throw new UsageError(`--live is for ${NAME} explain`)
    if (path === undefined) {
      await print(fieldsText())
      return 0
    }
    const set = readRules(path)
    process.stderr.write(warningsText(set, path))
    return await act(verb, set, path, liveMs)
  } catch (error) {
    process.stderr.write(error instanceof RuleError ? problemsText(error) : errorText(error, false))
    return isUsageError(error) ? EXIT_USAGE : 1
  }
}

async function act(verb: Verb, set: RuleSet, path: string, liveMs: number | undefined): Promise<number> {
  if (verb === 'explain') {
    const live = liveMs === undefined ? undefined : await watch(set, liveMs)
    await print(explanation(set, live !== undefined) + (live ?? ''))
  }
  if (verb === 'check') await print(`${path}: ${set.size} rules, ${set.tests.length} tests\n`)
  if (verb !== 'test') return 0
  const results = testRules(set)
  const failed = results.filter(({ hasPassed }) => !hasPassed)
  for (const { name, line, got, wanted } of failed) {
    await print(`${path}:${line}: ${sanitise(name)}: wanted ${wanted}, got ${got}\n`)
  }
  await print(`${results.length - failed.length} passed, ${failed.length} failed\n`)
  return failed.length === 0 ? 0 : 1
}

function operandsOf([verb, path, ...others]: readonly string[]): [Verb, string | undefined] {
  if (verb === undefined) throw new UsageError(`${NAME} needs to know what to do: ${RULE_VERBS.join(', ')}`)
  const known = RULE_VERBS.find((one) => one === verb)
  if (known === undefined) {
    throw new UsageError(`${NAME} cannot do "${sanitise(verb)}": use one of ${RULE_VERBS.join(', ')}`)
  }
  const most = known === 'fields' ? 0 : 1
  const given = [path, ...others].filter((one) => one !== undefined).length
  if (given > most) throw new UsageError(`${NAME} ${known} takes ${most === 0 ? 'no file' : 'one file'}`)
  if (given < most) throw new UsageError(`${NAME} ${known} needs a file with rules, or - for standard input`)
  return [known, path]
}

/** Asks rules about all that happens for a time; what is said of the kernel's part. */
async function watch(rules: RuleSet, liveMs: number): Promise<string> {
  const ending = new AbortController()
  await using quark = await Quark.open({ rules, all: true, signal: ending.signal })
  // Opening takes a time of its own.
  setTimeout(() => ending.abort(), liveMs)
  for await (const _events of quark.batches());
  const { attached, missing } = quark.capabilities
  const isIn = (fact: string): boolean => fact === IN_KERNEL || fact.startsWith(`${IN_KERNEL}.`)
  const maps = attached.filter(({ fact }) => isIn(fact)).map(({ hook }) => `by programs with the ${hook}`)
  const lacks = missing.filter(({ fact }) => isIn(fact)).map(({ reason }) => `not by programs: ${reason}`)
  return [...maps, ...lacks].map((line) => `decided ${sanitise(line)}\n`).join('')
}

/** The fact that rules are decided in the kernel. */
const IN_KERNEL = 'rulesInKernel'

/** Each rule, with where it is decided and why, and maybe how often it was asked. */
function explanation(set: RuleSet, isLive: boolean): string {
  const counters = set.counters()
  return set
    .explain()
    .map(({ text, line, place, reason, clauses }, index) => {
      const parts = clauses.map((clause) => `        ${clause.field}: ${clause.place}: ${clause.reason}\n`)
      const { evals = 0, hits = 0, leftOut = 0 } = counters[index] ?? {}
      const counts = isLive
        ? `    asked ${evals}, matched ${hits}, of which the kernel left out ${leftOut}\n`
        : ''
      return `${line}: ${sanitise(text)}\n    ${place}: ${reason}\n${parts.join('')}${counts}`
    })
    .join('')
}

function fieldsText(): string {
  const rows = [...RULE_FIELDS.values()].map(({ name, type, doc }) => [name, type, doc] as const)
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, type, doc]) => `${name.padEnd(width)}  ${type.padEnd(7)}  ${doc}\n`).join('')
}
