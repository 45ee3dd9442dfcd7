/** quark-mon completions: a script for a shell. */

import { EXIT_USAGE, isUsageError, quote, readArguments, UsageError } from '../arguments.js'
import { btfOptions } from '../btf/options.js'
import { type CompletedCommand, completions, type Shell, SHELLS } from '../completions.js'
import { tableHelp } from '../help.js'
import { print } from '../io.js'
import type { Option, OptionGroup } from '../option.js'
import { TABLE } from '../options.js'
import { WORDS } from '../parse.js'
import { errorText } from '../report.js'
import { nearestWord } from '../values.js'
import { asciicastOptions } from './asciicast.js'
import { RULE_VERBS, rulesOptions } from './rules.js'
import { doctorOptions } from './doctor.js'

const NAME = 'quark-mon completions'

/** The options of the command, for its help. */
const options: OptionGroup<object> = {
  title: 'Options of completions',
  options: [{ long: 'help', short: 'h', help: 'write this text and end', set: () => {} }],
}

/** The commands that are completed; what an option sets does not matter to a shell. */
export const COMPLETED: readonly CompletedCommand[] = [
  { words: ['quark-mon'], options: ofAny(TABLE), operands: WORDS },
  { words: ['quark-mon', 'doctor'], options: ofAny(doctorOptions), operands: [] },
  { words: ['quark-mon', 'asciicast'], options: ofAny(asciicastOptions), operands: [] },
  { words: ['quark-mon', 'rules'], options: ofAny(rulesOptions), operands: RULE_VERBS },
  { words: ['quark-mon', 'completions'], options: ofAny(options), operands: SHELLS },
  { words: ['quark-btf'], options: ofAny(btfOptions), operands: [] },
]

function ofAny<S>({ options }: { readonly options: readonly Option<S>[] }): readonly Option<never>[] {
  return options as readonly Option<never>[]
}

/**
 * Runs `quark-mon completions`.
 *
 * @param args what follows the word completions
 * @returns the exit code
 */
export async function runCompletions(args: readonly string[]): Promise<number> {
  try {
    const read = readArguments(args, { command: NAME, options: options.options, hasOperands: true }, {})
    await print(
      read.show === 'result'
        ? completions(shellOf(read.operands), COMPLETED)
        : help(process.stdout.columns ?? 80),
    )
    return 0
  } catch (error) {
    process.stderr.write(errorText(error, false))
    return isUsageError(error) ? EXIT_USAGE : 1
  }
}

function help(columns: number): string {
  return tableHelp(
    {
      usage: [`${NAME} ${SHELLS.join('|')}`],
      summary:
        'Writes a script that completes the command lines of quark-mon and quark-btf. In bash or zsh: ' +
        `source <(${NAME} bash), in fish: ${NAME} fish | source.`,
      groups: [options],
    },
    columns,
  )
}

function shellOf(operands: readonly string[]): Shell {
  const [given, ...others] = operands
  const shell = SHELLS.find((name) => name === given)
  if (shell !== undefined && others.length === 0) return shell
  const nearest = given === undefined ? undefined : nearestWord(given, SHELLS)
  const advice =
    nearest === undefined || others.length > 0 ? `give ${SHELLS.join(' or ')}` : `did you mean ${nearest}?`
  throw new UsageError(
    given === undefined
      ? `${NAME} needs a shell: ${advice}`
      : `Unknown shell ${quote(operands.join(' '))}: ${advice}`,
  )
}
