/** Makes docs/options.md of the declarations of options and the comments on them. */

import { readFileSync } from 'node:fs'
import type { Kind } from '../../kinds/kind.js'
import { filterOptions } from '../../where/options.js'
import { coreOptions } from '../declare.js'
import { ecsOptions, lineOptions } from '../lines.js'
import { commandForms, type NumberSpec, type OptionSpec, type OptionSpecs } from '../spec.js'

const SOURCE = new URL('../../../src/', import.meta.url)

const INTRODUCTION = `\
# Options

What \`Quark.open\` takes, and which option of \`quark-mon\` gives it. Every option has a default. A recording keeps those
that say how records become events, so a replay uses them, and \`Quark.replay\` may be given others. With \`bypass\` some
have no meaning and are refused.

This page is made of the declarations: \`UPDATE_GOLDEN=1 npm run test:unit\` writes it anew.
`

const LINES = `\
Not an option of \`Quark.open\`: \`createDump\`, \`createJson\` and \`createEcs\` take it. \`dumpOf\` and \`jsonOf\` have the default.
`

const DOCUMENTS = `\
An option of \`createEcs\`, beside those of all lines.
`

/**
 * The whole page.
 *
 * @param folderOf where the kind of a name is declared
 */
export function optionsPage(
  kinds: readonly Kind[],
  folderOf: (name: string) => string = (name) => `kinds/${name}`,
): string {
  const sections = [
    section('Every queue', coreOptions, 'options/declare.ts'),
    section(
      'Which events',
      { ...filterOptions(kinds.flatMap(({ events }) => events ?? [])) },
      'where/options.ts',
    ),
    ...kinds
      .filter(({ options }) => Object.keys(options).length > 0)
      .map(({ name, options }) => section(`The kind \`${name}\``, options, `${folderOf(name)}/options.ts`)),
    `${section('Lines of output', lineOptions, 'options/lines.ts')}\n${LINES}`,
    `${section('ECS documents', { form: ecsOptions.form }, 'options/lines.ts')}\n${DOCUMENTS}`,
  ]
  return `${INTRODUCTION}\n${sections.join('\n')}`
}

/** The range or the words that an option takes. */
export function valuesText(spec: OptionSpec): string {
  switch (spec.type) {
    case 'flag':
      return '`true`, `false`'
    case 'path':
      return 'a file'
    case 'places':
      return '`true`, `false`, a list of absolute paths'
    case 'instance':
      return spec.of.noun
    case 'members':
      return 'an object with filters'
    case 'numbers':
    case 'texts':
      return `a list of ${spec.item}s`
    case 'list':
      return `a list of ${words(spec.words)}`
    case 'choice':
      return words(spec.words) + (spec.or === undefined ? '' : ` or ${spec.or.noun}`)
    default:
      return `${numberText(spec.min, spec)} to ${numberText(spec.max, spec)}${spec.isPowerOfTwo === true ? ', a power of two' : ''}`
  }
}

/** The default of an option. */
export function defaultText(spec: OptionSpec): string {
  switch (spec.type) {
    case 'path':
    case 'members':
    case 'numbers':
    case 'texts':
    case 'instance':
      return 'none'
    case 'list':
      return words(spec.default)
    case 'count':
    case 'bytes':
    case 'ms':
      return numberText(spec.default, spec)
    default:
      return `\`${spec.default}\``
  }
}

function section(title: string, specs: OptionSpecs, file: string): string {
  const source = readFileSync(new URL(file, SOURCE), 'utf8')
  const rows = Object.entries(specs).map(([name, spec]) => {
    const notes = [
      ...(spec.isRecorded === true ? ['kept by a recording'] : []),
      ...(spec.notWithBypass === true ? ['not with `bypass`'] : []),
    ]
    const cells = [
      `\`${name}\``,
      commentOf(name, source),
      valuesText(spec),
      defaultText(spec),
      notes.join(', '),
      commandForms(spec)
        .map(({ long, short }) => `${short === undefined ? '' : `\`-${short}\`, `}\`--${long}\``)
        .join('; '),
    ]
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  const head = '| Option | | Values | Default | | `quark-mon` |\n|---|---|---|---|---|---|'
  return `## ${title}\n\n${head}\n${rows.join('\n')}\n`
}

/** The comment on an option, without what other columns have. */
function commentOf(name: string, source: string): string {
  const [, comment] =
    new RegExp(`/\\*\\*((?:(?!\\*/)[^])*)\\*/\\s+(?:readonly )?${name}: `).exec(source) ?? []
  if (comment === undefined) throw new Error(`The option "${name}" has no comment`)
  return comment
    .replaceAll(/^\s*\* ?/gm, '')
    .replaceAll(/\s+/g, ' ')
    .replace(/ ?Default (?:[\d,]+(?: [KMG]iB)?|true|false|`[^`]*`)\./, '')
    .trim()
}

function words(list: readonly string[]): string {
  return list.map((word) => `\`${word}\``).join(', ')
}

function numberText(value: number, { type }: NumberSpec): string {
  const units: [size: number, name: string][] = [
    [1024 ** 4, 'TiB'],
    [1024 ** 3, 'GiB'],
    [1024 ** 2, 'MiB'],
    [1024, 'KiB'],
  ]
  const unit = type === 'bytes' && value > 0 ? units.find(([size]) => value % size === 0) : undefined
  return unit === undefined ? value.toLocaleString('en') : `${value / unit[0]} ${unit[1]}`
}
