/** quark-mon doctor: what can be learnt on this machine, and what prevents the rest. */

import { type Examination, examine, type Finding, sanitise, TOPICS, type Verdict } from 'quark-telemetry'
import { type CommandTable, readArguments } from '../arguments.js'
import { tableHelp } from '../help.js'
import { print, wantsColour } from '../io.js'
import type { OptionGroup } from '../option.js'
import { errorText } from '../report.js'
import { COLOUR_WORDS, fileName, oneOf } from '../values.js'
import { wrap } from '../wrap.js'
import { harmlessJson } from '../harmless-json.js'

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
        'Tries every hook and backend on this machine, and reports what a default run would miss, what to do about it, ' +
        'and why. Exits 0 when nothing would be missing, 1 when something would, and 2 on an error.',
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
        ? `${harmlessJson(JSON.stringify(examination, undefined, 2))}\n`
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
const STEP_COLUMN = 4
const MIN_COLUMNS = 72
const MAX_COLUMNS = 120

const COLOURS: Readonly<Record<Verdict, number>> = { ok: 32, problem: 31, absent: 33, unknown: 33, note: 36 }

/**
 * An examination as text: what follows and what to do, and then what was found, with a heading for each topic. No paragraph is
 * written twice.
 *
 * @param how `columns` is the width of the terminal in characters
 */
export function doctorText(
  examination: Examination,
  { columns, colour }: { readonly columns: number; readonly colour: boolean },
): string {
  const width = Math.min(Math.max(columns, MIN_COLUMNS), MAX_COLUMNS)
  const painted = (code: number, text: string): string => (colour ? `\x1b[${code}m${text}\x1b[0m` : text)
  const { complete, conclusion, steps } = examination
  const lines = wrap(sanitise(conclusion), 0, width).map((line) =>
    painted(complete ? COLOURS.ok : COLOURS.problem, line),
  )
  lines.push('')
  if (steps.length > 0) lines.push(painted(1, 'What to do'))
  for (const { fix, about } of steps) {
    lines.push(...wrap(`${sanitise(fix)}  (${about.map(sanitise).join(', ')})`, STEP_COLUMN, width))
  }
  if (steps.length > 0) lines.push('')
  const written = new Paragraphs(steps.map(({ fix }) => fix))
  for (const topic of TOPICS) {
    const findings = examination.findings.filter((finding) => finding.topic === topic)
    if (findings.length === 0) continue
    lines.push(painted(1, topic.charAt(0).toUpperCase() + topic.slice(1)))
    for (const group of groupsOf(findings)) {
      const [finding] = group
      if (finding === undefined) continue
      const [first = '', ...others] = findingLines(group, finding, written, width)
      const mark = painted(COLOURS[finding.verdict], finding.verdict.padEnd(NAME_COLUMN - 2))
      lines.push(`  ${mark}${first.slice(NAME_COLUMN)}`, ...others)
    }
    lines.push('')
  }
  return `${lines.join('\n').trimEnd()}\n`
}

/** Findings in their order; those of which all is the same but the name are together, in place of the first. */
function groupsOf(findings: readonly Finding[]): Finding[][] {
  const groups = new Map<string, Finding[]>()
  for (const finding of findings) {
    const { name: _, ...rest } = finding
    const key = JSON.stringify(rest)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [finding])
    else group.push(finding)
  }
  return [...groups.values()]
}

/** Which paragraphs were written, and of what. */
class Paragraphs {
  readonly #names = new Map<string, string>()
  readonly #steps: ReadonlySet<string>

  constructor(steps: readonly string[]) {
    this.#steps = new Set(steps)
  }

  /** The text, or where it stands already. */
  once(text: string, name: string): string {
    const before = this.#names.get(text)
    if (before !== undefined) return `as ${before}`
    // Words are as short as what would stand for them.
    if (text.includes(' ')) this.#names.set(text, name)
    return text
  }

  /** What to do, unless it was said. */
  fix(text: string | undefined): string | undefined {
    if (text === undefined || this.#steps.has(text) || this.#names.has(text)) return undefined
    this.#names.set(text, '')
    return text
  }
}

/** The lines of findings that are the same but for their names; the first leaves room for the verdict. */
function findingLines(
  group: readonly Finding[],
  { found, details = [], costs, fix }: Finding,
  written: Paragraphs,
  width: number,
): string[] {
  const names = group.map(({ name }) => sanitise(name))
  const part = (label: string, text: string): string[] =>
    wrap(`${label}${sanitise(text)}`, TEXT_COLUMN, width)
  const text = part('', written.once(found, names[0] ?? ''))
  const head =
    names.length === 1
      ? [
          ' '.repeat(NAME_COLUMN) +
            `${names[0]} `.padEnd(TEXT_COLUMN - NAME_COLUMN) +
            (text.shift() ?? '').slice(TEXT_COLUMN),
        ]
      : wrap(names.join(', '), NAME_COLUMN, width)
  const toDo = written.fix(fix)
  return [
    ...head,
    ...text,
    ...details.flatMap((detail) => part('', written.once(detail, names[0] ?? ''))),
    ...(costs.length === 0 ? [] : part('costs: ', costs.join(', '))),
    ...(toDo === undefined ? [] : part('do: ', toDo)),
  ]
}
