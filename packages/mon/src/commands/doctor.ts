/** quark-mon doctor: what can be learnt on this machine, and what prevents the rest. */

import { type Examination, examine, type Finding, sanitise, TOPICS, type Verdict } from 'quark-telemetry'
import { type CommandTable, readArguments } from '../arguments.js'
import { tableHelp } from '../help.js'
import { print, wantsColour } from '../io.js'
import type { OptionGroup } from '../option.js'
import { errorText } from '../report.js'
import { COLOUR_WORDS, fileName, oneOf } from '../values.js'
import { wrap } from '../wrap.js'

interface DoctorSettings {
  json: boolean
  audit: boolean
  btf: string | undefined
  colour: 'auto' | 'always' | 'never'
}

/** A default run would miss something. */
const EXIT_INCOMPLETE = 1
/** It could not be found out. */
const EXIT_ERROR = 2

/** The options of the command, for its help and the manual page. */
export const doctorOptions: OptionGroup<DoctorSettings> = {
  title: 'Options of doctor',
  options: [
    {
      long: 'json',
      short: 'j',
      help: 'write one JSON object instead of text',
      set: (settings) => void (settings.json = true),
    },
    {
      long: 'audit',
      help: 'also try the audit backend, which changes the audit rules of this machine for a moment',
      set: (settings) => void (settings.audit = true),
    },
    {
      long: 'btf',
      argument: 'FILE',
      help: "read the kernel's types from this file, as quark-mon would",
      set: (settings, value) => void (settings.btf = fileName(value)),
    },
    {
      long: 'colour',
      argument: 'WHEN',
      byDefault: 'auto',
      words: COLOUR_WORDS,
      help: 'colour the text: auto, always or never',
      set: (settings, value) => void (settings.colour = oneOf(value, COLOUR_WORDS)),
    },
    { long: 'help', short: 'h', help: 'write this text and end', set: () => {} },
  ],
}

const TABLE: CommandTable<DoctorSettings> = { command: 'quark-mon doctor', options: doctorOptions.options }

/** The text of `quark-mon doctor --help`. */
export function doctorHelp(columns: number): string {
  return tableHelp(
    {
      usage: ['quark-mon doctor [option ...]'],
      summary:
        'Tries every hook and backend on this machine, and reports what a default run would miss, why, and what to ' +
        'do about it. Exits 0 when nothing would be missing, 1 when something would, and 2 on an error.',
      groups: [doctorOptions],
    },
    columns,
  )
}

/**
 * Runs `quark-mon doctor`.
 *
 * @param args what follows the word doctor
 * @returns the exit code
 */
export async function doctor(args: readonly string[]): Promise<number> {
  const columns = process.stdout.columns ?? 80
  try {
    const settings: DoctorSettings = { json: false, audit: false, btf: undefined, colour: 'auto' }
    const read = readArguments(args, TABLE, settings)
    if (read.show !== 'result') {
      await print(doctorHelp(columns))
      return 0
    }
    const { audit, btf, json, colour } = settings
    const examination = await examine({ audit, ...(btf === undefined ? {} : { btf }) })
    await print(
      json
        ? `${JSON.stringify(examination, undefined, 2)}\n`
        : doctorText(examination, {
            columns,
            colour: wantsColour(colour, process.env, process.stdout.isTTY),
          }),
    )
    return examination.complete ? 0 : EXIT_INCOMPLETE
  } catch (error) {
    process.stderr.write(errorText(error, false))
    return EXIT_ERROR
  }
}

/** Column where the name of a finding begins. */
const NAME_COLUMN = 10
const TEXT_COLUMN = 29
const MIN_COLUMNS = 72
const MAX_COLUMNS = 120

const COLOURS: Readonly<Record<Verdict, number>> = { ok: 32, problem: 31, absent: 33, unknown: 33, note: 36 }

/**
 * An examination as text: a heading for each topic, one line or more for each finding, and a conclusion.
 *
 * @param how `columns` is the width of the terminal in characters
 */
export function doctorText(
  examination: Examination,
  { columns, colour }: { readonly columns: number; readonly colour: boolean },
): string {
  const width = Math.min(Math.max(columns, MIN_COLUMNS), MAX_COLUMNS)
  const painted = (code: number, text: string): string => (colour ? `\x1b[${code}m${text}\x1b[0m` : text)
  const lines: string[] = []
  for (const topic of TOPICS) {
    const findings = examination.findings.filter((finding) => finding.topic === topic)
    if (findings.length === 0) continue
    lines.push(painted(1, topic.charAt(0).toUpperCase() + topic.slice(1)))
    for (const finding of findings) {
      const [first = '', ...others] = findingLines(finding, width)
      const mark = painted(COLOURS[finding.verdict], finding.verdict.padEnd(NAME_COLUMN - 2))
      lines.push(`  ${mark}${first.slice(NAME_COLUMN)}`, ...others)
    }
    lines.push('')
  }
  lines.push(...wrap(conclusion(examination), 0, width))
  return `${lines.join('\n')}\n`
}

/** The lines of one finding; the first leaves room for the verdict. */
function findingLines({ name, found, details = [], costs, fix }: Finding, width: number): string[] {
  const part = (label: string, text: string): string[] =>
    wrap(`${label}${sanitise(text)}`, TEXT_COLUMN, width)
  const [first = '', ...others] = part('', found)
  return [
    ' '.repeat(NAME_COLUMN) +
      `${sanitise(name)} `.padEnd(TEXT_COLUMN - NAME_COLUMN) +
      first.slice(TEXT_COLUMN),
    ...others,
    ...details.flatMap((detail) => part('', detail)),
    ...(costs.length === 0 ? [] : part('costs: ', costs.join(', '))),
    ...(fix === undefined ? [] : part('do: ', fix)),
  ]
}

function conclusion({ complete, backend, findings, trials }: Examination): string {
  if (complete) return `A default run would be complete, with the backend ${backend}.`
  const problems = findings.filter(({ verdict }) => verdict === 'problem').map(({ name }) => name)
  const because = problems.length === 0 ? '' : ` Look at: ${problems.map(sanitise).join(', ')}.`
  if (backend !== undefined)
    return `A default run would not be complete, with the backend ${backend}.${because}`
  const untried = trials.filter(({ outcome }) => outcome === 'notTried').map(({ backend }) => backend)
  if (untried.length === 0) return `A default run would not work: no backend does.${because}`
  return `A default run would depend on what was not tried: ${untried.join(', ')}.${because}`
}
