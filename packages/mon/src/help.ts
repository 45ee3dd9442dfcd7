import type { Option, OptionGroup } from './option.js'
import { type OptionTable, TABLE } from './options.js'
import type { Settings } from './settings.js'
import { wrap } from './wrap.js'

/** Column where descriptions begin. */
const INDENT = 26
/** Below this many columns a description would be a word wide, so that lines may become longer than the terminal. */
const MIN_COLUMNS = 60
const MAX_COLUMNS = 100

/** The parts of a command's help text. */
export interface HelpTable<S> {
  /** Ways to call it, each with its arguments. */
  readonly usage: readonly string[]
  readonly summary: string
  readonly groups: readonly OptionGroup<S>[]
  /** Text at the end. */
  readonly remark?: string
}

function monHelp({ groups, missing }: OptionTable): HelpTable<Settings> {
  return {
    usage: [
      'quark-mon [option ...]',
      'quark-mon [option ...] -- command [argument ...]',
      'quark-mon run [option ...] -- command [argument ...]',
      'quark-mon doctor [option ...]',
      'quark-mon asciicast [option ...] RECORDING',
      'quark-mon rules check|explain|test FILE',
      'quark-mon completions SHELL',
    ],
    summary:
      'Shows every process of this machine from fork to exit, until Ctrl-C is pressed; with a command only that and its ' +
      'descendants, until it ends. doctor says what of it this machine allows, asciicast makes a cast of a terminal that was recorded, ' +
      'rules looks at files of rules, and completions makes a shell complete command lines.',
    groups,
    remark: `Options of other versions that are refused: ${missing.map(({ short }) => `-${short}`).join(' ')}`,
  }
}

/**
 * The text of `--help` of quark-mon.
 *
 * @param columns width of the terminal, in characters
 */
export function helpText(columns: number, table: OptionTable = TABLE): string {
  return tableHelp(monHelp(table), columns)
}

/** The text of `--help` of the command that a table describes. */
export function tableHelp<S>({ usage, summary, groups, remark }: HelpTable<S>, columns: number): string {
  const width = Math.min(Math.max(columns, MIN_COLUMNS), MAX_COLUMNS)
  const lines = usage.map((line, index) => `${index === 0 ? 'Usage: ' : '       '}${line}`)
  lines.push('', ...wrap(summary, 0, width))
  for (const { title, options } of groups) {
    lines.push('', `${title}:`, ...options.flatMap((option) => optionLines(option, width)))
  }
  if (remark !== undefined) lines.push('', ...wrap(remark, 0, width))
  return `${lines.join('\n')}\n`
}

function optionLines<S>(option: Option<S>, width: number): string[] {
  const short = option.short === undefined ? '    ' : `-${option.short}, `
  const head = `  ${short}--${option.long}${argumentText(option)}`
  const byDefault = option.byDefault === undefined ? '' : ` (default: ${option.byDefault})`
  const body = wrap(option.help + byDefault, INDENT, width)
  if (head.length + 2 > INDENT) return [head, ...body]
  return [head.padEnd(INDENT) + (body[0] ?? '').trimStart(), ...body.slice(1)]
}

function argumentText<S>({ argument, withoutArgument }: Option<S>): string {
  if (argument === undefined) return ''
  return withoutArgument === undefined ? `=${argument}` : `[=${argument}]`
}
