/** The quark-btf command. */

import {
  BTF_TARGETS,
  listKnownTargets,
  listTargets,
  missingTargets,
  offsetTableOf,
  type TargetListing,
} from 'quark-telemetry'
import { EXIT_USAGE, isUsageError, quote, readArguments, UsageError } from '../arguments.js'
import { print } from '../io.js'
import { errorText } from '../report.js'
import { nearestWord } from '../values.js'
import { packageVersion } from '../version.js'
import { type BtfSettings, btfOptions, defaultBtfSettings } from './options.js'
import { btfHelp, targetLine } from './text.js'

const NAME = 'quark-btf'

/**
 * Runs the command.
 *
 * @param args what follows the name of the command
 * @returns the exit code
 */
export async function main(args: readonly string[]): Promise<number> {
  // A closed standard error cannot be reported anywhere.
  process.stderr.on('error', () => {})
  try {
    const table = { command: NAME, options: btfOptions.options, hasOperands: true }
    const read = readArguments(args, table, defaultBtfSettings())
    if (read.show === 'result') await run(read.settings, read.operands)
    else
      await print(
        read.show === 'help' ? btfHelp(process.stdout.columns ?? 80) : `${NAME} ${packageVersion()}\n`,
      )
    return 0
  } catch (error) {
    process.stderr.write(errorText(error, false, NAME))
    return isUsageError(error) ? EXIT_USAGE : 1
  }
}

function run(settings: BtfSettings, operands: readonly string[]): Promise<void> {
  if (settings.generate !== undefined) return print(generate(settings.generate, operands))
  if (settings.lookup !== undefined) return lookUp(settings.lookup, settings, operands)
  return list(listTargets(settings.file), operands, settings)
}

function generate(file: string, operands: readonly string[]): string {
  const [name, release, ...others] = operands
  if (name === undefined || release === undefined || others.length > 0) {
    throw new UsageError(
      `-g needs a name and a version: give -g ${file} NAME VERSION, such as debian 6.1.0-18-amd64`,
    )
  }
  return offsetTableOf(file, { name, release })
}

async function lookUp(version: string, settings: BtfSettings, operands: readonly string[]): Promise<void> {
  if (operands.length > 0)
    throw new UsageError(`-l takes no targets: remove ${operands.map(quote).join(' ')}`)
  const known = listKnownTargets(version)
  await print(`${known.kernel.name} ${known.kernel.release}\n`)
  if (settings.verbosity > 0) await list(known, [], settings)
}

/** Writes all lines, also when some offsets are missing, and reports those afterwards. */
async function list(
  { source, targets }: TargetListing,
  names: readonly string[],
  { bits, verbosity }: BtfSettings,
): Promise<void> {
  const unknown = names.find((wanted) => !BTF_TARGETS.some(({ name }) => name === wanted))
  if (unknown !== undefined) {
    const nearest = nearestWord(
      unknown,
      BTF_TARGETS.map(({ name }) => name),
    )
    const advice = nearest === undefined ? `see ${NAME} for all of them` : `did you mean ${nearest}?`
    throw new UsageError(`Unknown target ${quote(unknown)}: ${advice}`)
  }
  const wanted =
    names.length === 0 ? targets : names.flatMap((name) => targets.filter((target) => target.name === name))
  if (verbosity > 0) {
    process.stderr.write(`${NAME}: types from ${source}\n`)
    for (const { name, found } of wanted) {
      if (found !== undefined && found !== name) process.stderr.write(`${NAME}: ${name} is ${found}\n`)
    }
  }
  await print(wanted.map((target) => targetLine(target, bits)).join(''))
  const missing = missingTargets(wanted).map(({ name }) => name)
  if (missing.length > 0) throw new Error(`This kernel lacks ${missing.join(', ')}: offsets from ${source}`)
}
