import { missingOptions, type Option, optionGroups } from './options.js'
import { wrap } from './wrap.js'

/** Column where descriptions begin. */
const INDENT = 26
/** Below this many columns a description would be a word wide, so that lines may become longer than the terminal. */
const MIN_COLUMNS = 60
const MAX_COLUMNS = 100

/**
 * The text of `--help`.
 *
 * @param columns width of the terminal, in characters
 */
export function helpText(columns: number): string {
  const width = Math.min(Math.max(columns, MIN_COLUMNS), MAX_COLUMNS)
  const lines = [
    'Usage: quark-mon [option ...]',
    '',
    ...wrap('Shows every process of this machine from fork to exit, until Ctrl-C is pressed.', 0, width),
  ]
  for (const { title, options } of optionGroups) {
    lines.push('', `${title}:`, ...options.flatMap((option) => optionLines(option, width)))
  }
  const letters = missingOptions.map(({ short }) => `-${short}`).join(' ')
  lines.push('', ...wrap(`Options of other versions that are not supported yet: ${letters}`, 0, width))
  return `${lines.join('\n')}\n`
}

function optionLines(option: Option, width: number): string[] {
  const short = option.short === undefined ? '    ' : `-${option.short}, `
  const head = `  ${short}--${option.long}${argumentText(option)}`
  const byDefault = option.byDefault === undefined ? '' : ` (default: ${option.byDefault})`
  const body = wrap(option.help + byDefault, INDENT, width)
  if (head.length + 2 > INDENT) return [head, ...body]
  return [head.padEnd(INDENT) + (body[0] ?? '').trimStart(), ...body.slice(1)]
}

function argumentText({ argument, withoutArgument }: Option): string {
  if (argument === undefined) return ''
  return withoutArgument === undefined ? `=${argument}` : `[=${argument}]`
}
