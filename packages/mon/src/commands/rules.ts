/** quark-mon rules: what rules say, whether they are right, and where they are decided. */

import { RULE_FIELDS, RuleError, type RuleSet, sanitise, testRules } from 'quark-telemetry'
import { type CommandTable, EXIT_USAGE, isUsageError, readArguments, UsageError } from '../arguments.js'
import { tableHelp } from '../help.js'
import { print } from '../io.js'
import type { OptionGroup } from '../option.js'
import { errorText } from '../report.js'
import { problemsText, readRules, warningsText } from '../rule-file.js'

const NAME = 'quark-mon rules'

/** What the command can do with a file of rules. */
export const RULE_VERBS = ['check', 'explain', 'test', 'fields'] as const
type Verb = (typeof RULE_VERBS)[number]

/** The options of the command, for its help and the manual page. */
export const rulesOptions: OptionGroup<object> = {
  title: 'Options of rules',
  options: [{ long: 'help', short: 'h', help: 'write this text and end', set: () => {} }],
}

const TABLE: CommandTable<object> = { command: NAME, options: rulesOptions.options, hasOperands: true }

/** The text of `quark-mon rules --help`. */
export function rulesHelp(columns: number): string {
  return tableHelp(
    {
      usage: [`${NAME} check|explain|test FILE`, `${NAME} fields`],
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
    const read = readArguments(args, TABLE, {})
    if (read.show !== 'result') {
      await print(rulesHelp(process.stdout.columns ?? 80))
      return 0
    }
    const [verb, path] = operandsOf(read.operands)
    if (path === undefined) {
      await print(fieldsText())
      return 0
    }
    const set = readRules(path)
    process.stderr.write(warningsText(set, path))
    return await act(verb, set, path)
  } catch (error) {
    process.stderr.write(error instanceof RuleError ? problemsText(error) : errorText(error, false))
    return isUsageError(error) ? EXIT_USAGE : 1
  }
}

async function act(verb: Verb, set: RuleSet, path: string): Promise<number> {
  if (verb === 'explain') await print(explanation(set))
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

/** Each rule, with where it is decided and why. */
function explanation(set: RuleSet): string {
  return set
    .explain()
    .map(({ text, line, place, reason, clauses }) => {
      const parts = clauses.map((clause) => `        ${clause.field}: ${clause.place}: ${clause.reason}\n`)
      return `${line}: ${sanitise(text)}\n    ${place}: ${reason}\n${parts.join('')}`
    })
    .join('')
}

function fieldsText(): string {
  const rows = [...RULE_FIELDS.values()].map(({ name, type, doc }) => [name, type, doc] as const)
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, type, doc]) => `${name.padEnd(width)}  ${type.padEnd(7)}  ${doc}\n`).join('')
}
