/** Options of the library as options of the command: their declarations have the names and arguments. */

import {
  type CommandForm,
  type CommandGroup,
  OptionError,
  OPTIONS,
  type OptionSpec,
  type OptionSpecs,
} from 'quark-telemetry'
import { UsageError } from './arguments.js'
import type { Option } from './option.js'
import {
  byteCount,
  byteText,
  fileName,
  oneOf,
  placesOf,
  powerOfTwo,
  someOf,
  timeMs,
  timeText,
  ValueError,
  wholeNumber,
} from './values.js'

/** An option of the command that gives an option of the library. */
export interface LibraryOption extends Option {
  readonly group: CommandGroup
  /** It has no meaning in a replay: the recording decided it. */
  readonly notWithReplay: boolean
  readonly notWithBypass: boolean
}

/** The member of the settings that options of the library are written into. */
export type Receiver = 'quark' | 'lines' | 'ecs'

/** The options that the declarations have a form for, each after the one that it names. */
export function libraryOptions(specs: OptionSpecs, receiver: Receiver = 'quark'): LibraryOption[] {
  const options: LibraryOption[] = []
  for (const [name, spec] of Object.entries(specs)) {
    for (const [form, option] of optionsOf(name, spec, receiver)) {
      const at = options.findIndex(({ long }) => long === form.after)
      options.splice(at === -1 ? options.length : at + 1, 0, option)
    }
  }
  return options
}

/** How a message names the option of the command that gives an option of the library: `--max-argv`. */
export function commandName(specs: OptionSpecs, name: string): string | undefined {
  const [option = '', member] = name.split('.')
  const spec = Object.hasOwn(specs, option) ? specs[option] : undefined
  if (spec?.type === 'members') {
    const known = member !== undefined && Object.hasOwn(spec.members, member)
    return known ? `--${spec.members[member]?.command.long}` : undefined
  }
  const [form] = spec === undefined || member !== undefined ? [] : formsOf(spec)
  return form === undefined ? undefined : `--${form.long}`
}

/** An error of the library about an option, in the words of the command; other errors as they are. */
export function inCommandWords(error: unknown, specs: OptionSpecs = OPTIONS): unknown {
  if (!(error instanceof OptionError)) return error
  const message = error.message.replaceAll(
    /(?:Option )?"([\w.]+)"/g,
    (quoted, name: string) => commandName(specs, name) ?? quoted,
  )
  return new UsageError(message)
}

function formsOf(spec: OptionSpec): readonly CommandForm[] {
  if (spec.type === 'members') return []
  const { command = [] } = spec
  return 'long' in command ? [command] : command
}

/** The options of the command for an option of the library: for one with members, an option for each. */
function optionsOf(name: string, spec: OptionSpec, receiver: Receiver): [CommandForm, LibraryOption][] {
  if (spec.type !== 'members')
    return formsOf(spec).map((form) => [form, optionOf(name, spec, form, receiver)])
  return Object.entries(spec.members).map(([member, { command, words, parse }]) => {
    const option = optionOf(name, spec, command, receiver)
    const set: LibraryOption['set'] = (settings, text) => {
      const options = settings[receiver] as Record<string, unknown>
      const before = (options[name] ?? {}) as Readonly<Record<string, unknown>>
      options[name] = { ...before, [member]: advised(() => parse(text, before[member])) }
    }
    return [command, { ...option, ...(words === undefined ? {} : { words }), set }]
  })
}

/** Runs something whose errors about options say what to give. */
function advised<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    throw new ValueError(error.advice ?? error.message, { cause: error })
  }
}

function optionOf(name: string, spec: OptionSpec, form: CommandForm, receiver: Receiver): LibraryOption {
  const { group, long, short, argument, withoutArgument, help, more, conflicts } = form
  const byDefault = form.byDefault ?? (argument === undefined ? undefined : defaultText(spec))
  return {
    group,
    long,
    ...(short === undefined ? {} : { short }),
    ...(argument === undefined ? {} : { argument }),
    ...(withoutArgument === undefined ? {} : { withoutArgument }),
    ...(argument === undefined || !('words' in spec) ? {} : { words: spec.words }),
    ...(byDefault === undefined ? {} : { byDefault }),
    help,
    ...(more === undefined ? {} : { more }),
    ...(conflicts === undefined ? {} : { conflicts }),
    notWithReplay: spec.isRecorded !== true && spec.isReplayed !== true,
    notWithBypass: form.notWithBypass ?? spec.notWithBypass === true,
    set: (settings, text) => {
      const options = settings[receiver] as Record<string, unknown>
      options[name] = valueOf(spec, form, text, options[name])
    },
  }
}

/** The value that an option gives; `before` is the one that an earlier option gave. */
function valueOf(spec: OptionSpec, form: CommandForm, text: string, before: unknown): unknown {
  if (form.adds !== undefined) return [...((before ?? []) as readonly string[]), form.adds]
  if (form.argument === undefined) return form.value ?? true
  switch (spec.type) {
    case 'bytes': {
      const bytes = byteCount(text, spec.min, form.max ?? spec.max)
      return spec.isPowerOfTwo === true ? powerOfTwo(bytes) : bytes
    }
    case 'ms':
      return timeMs(text, 'ms', spec.min, form.max ?? spec.max)
    case 'count':
      return wholeNumber(text, spec.min, form.max ?? spec.max)
    case 'numbers': {
      const more = text.split(',').map((part) => wholeNumber(part.trim(), spec.min, spec.max))
      return [...((before ?? []) as readonly number[]), ...more]
    }
    case 'texts':
      return [...((before ?? []) as readonly string[]), text]
    case 'places': {
      if (text === form.withoutArgument) return before ?? true
      const others = Array.isArray(before) ? (before as readonly string[]) : []
      return [...others, ...placesOf(text)]
    }
    case 'list':
      return someOf(text, spec.words)
    case 'choice':
      return oneOf(text, spec.words)
    default:
      return fileName(text)
  }
}

function defaultText(spec: OptionSpec): string | undefined {
  switch (spec.type) {
    case 'bytes':
      return byteText(spec.default)
    case 'ms':
      return timeText(spec.default)
    case 'list':
      return spec.default.join(',')
    case 'path':
    case 'places':
    case 'instance':
    case 'numbers':
    case 'texts':
    case 'members':
      return undefined
    default:
      return `${spec.default}`
  }
}
