/** quark-mon asciicast: what a terminal showed, as asciinema plays it. */

import { closeSync, openSync, writeSync } from 'node:fs'
import { Quark, type QuarkEvent } from 'quark-telemetry'
import { type CommandTable, EXIT_USAGE, isUsageError, readArguments, UsageError } from '../arguments.js'
import { Cast } from '../asciicast/cast.js'
import { keyOf, type Terminal, terminalLine, Terminals } from '../asciicast/terminals.js'
import { tableHelp } from '../help.js'
import { PIECE_CHARS, print } from '../io.js'
import type { OptionGroup } from '../option.js'
import { errorText } from '../report.js'
import { fileName } from '../values.js'

const NAME = 'quark-mon asciicast'

interface AsciicastSettings {
  list: boolean
  terminal: string | undefined
  output: string | undefined
  truncate: boolean
}

/** The options of the command, for its help and the manual page. */
export const asciicastOptions: OptionGroup<AsciicastSettings> = {
  title: 'Options of asciicast',
  options: [
    {
      long: 'list',
      short: 'l',
      help: 'list the terminals of the recording',
      set: (settings) => void (settings.list = true),
    },
    {
      long: 'terminal',
      short: 't',
      argument: 'NAME',
      help: 'write this terminal, such as pts/3; needed where the recording has several',
      set: (settings, value) => void (settings.terminal = value.replace(/^\/dev\//, '')),
    },
    {
      long: 'output',
      short: 'o',
      argument: 'FILE',
      help: 'write into this file, which must not exist',
      set: (settings, value) => void (settings.output = fileName(value)),
    },
    {
      long: 'truncate',
      help: 'with -o: a file that exists is overwritten',
      set: (settings) => void (settings.truncate = true),
    },
    { long: 'help', short: 'h', help: 'write this text and end', set: () => {} },
  ],
}

const TABLE: CommandTable<AsciicastSettings> = {
  command: NAME,
  options: asciicastOptions.options,
  hasOperands: true,
}

/** The text of `quark-mon asciicast --help`. */
export function asciicastHelp(columns: number): string {
  return tableHelp(
    {
      usage: [`${NAME} [option ...] RECORDING`],
      summary:
        'Writes what a terminal showed as an asciicast, which asciinema plays. The recording is one of ' +
        'quark-mon --tty --record=RECORDING.',
      groups: [asciicastOptions],
    },
    columns,
  )
}

/**
 * Runs `quark-mon asciicast`.
 *
 * @param args what follows the word asciicast
 * @returns the exit code
 */
export async function asciicast(args: readonly string[]): Promise<number> {
  try {
    const settings: AsciicastSettings = {
      list: false,
      terminal: undefined,
      output: undefined,
      truncate: false,
    }
    const read = readArguments(args, TABLE, settings)
    if (read.show !== 'result') {
      await print(asciicastHelp(process.stdout.columns ?? 80))
      return 0
    }
    const recording = recordingOf(read.operands)
    const terminals = await terminalsIn(recording)
    if (settings.list) await print(terminals.map(terminalLine).join(''))
    else await writeCast(recording, chosen(terminals, settings, recording), settings)
    return 0
  } catch (error) {
    process.stderr.write(errorText(error, false))
    return isUsageError(error) ? EXIT_USAGE : 1
  }
}

function recordingOf([recording, ...others]: readonly string[]): string {
  if (recording !== undefined && others.length === 0) return recording
  throw new UsageError(
    recording === undefined
      ? `${NAME} needs a recording: give the file that quark-mon --tty --record=FILE has written`
      : `${NAME} takes one recording: give them one by one`,
  )
}

/** Every write by itself, with its time. */
async function* eventsIn(recording: string): AsyncIterable<QuarkEvent> {
  await using quark = await Quark.replay(recording, { aggregation: 'none' })
  yield* quark
}

async function terminalsIn(recording: string): Promise<Terminal[]> {
  const terminals = new Terminals()
  for await (const event of eventsIn(recording)) terminals.add(event)
  return terminals.all()
}

function chosen(
  terminals: readonly Terminal[],
  { terminal: wanted }: AsciicastSettings,
  recording: string,
): Terminal {
  const names = terminals.map(({ name }) => name).join(', ')
  if (terminals.length === 0) {
    throw new Error(`No terminal is in ${recording}: record with quark-mon --tty --record=FILE`)
  }
  const found = wanted === undefined ? terminals : terminals.filter(({ name }) => name === wanted)
  const [terminal] = found
  if (terminal !== undefined && found.length === 1) return terminal
  throw new UsageError(
    wanted === undefined
      ? `The recording has several terminals: give --terminal with one of ${names}`
      : `No terminal ${wanted} is in the recording: give one of ${names}`,
  )
}

async function writeCast(
  recording: string,
  terminal: Terminal,
  { output, truncate }: AsciicastSettings,
): Promise<void> {
  const cast = new Cast([terminal.name, ...terminal.programs].join(' '))
  const fd = output === undefined ? undefined : openNew(output, truncate)
  try {
    let lines = ''
    const write = async (): Promise<void> => {
      if (fd === undefined) await print(lines)
      else writeAll(fd, lines)
      lines = ''
    }
    for await (const event of eventsIn(recording)) {
      lines += linesOf(event, cast, terminal.key)
      if (lines.length > PIECE_CHARS) await write()
    }
    await write()
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

function linesOf(event: QuarkEvent, cast: Cast, key: string): string {
  if (event.kind === 'lost') return cast.mark(event.timeNs, `${event.count} records were lost`)
  return event.kind === 'tty' && keyOf(event) === key ? cast.add(event) : ''
}

function openNew(path: string, truncates: boolean): number {
  try {
    return openSync(path, truncates ? 'w' : 'wx', 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new UsageError(`${path} exists already: give --truncate to overwrite it, or another name`)
  }
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
}
