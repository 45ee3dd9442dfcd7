import type { Settings } from './settings.js'

/** One option: the parser, the help text and the manual page all read it from here. */
export interface Option<S = Settings> {
  /** Name after two dashes. */
  readonly long: string
  /** Letter after one dash. */
  readonly short?: string
  /** Name of the argument; an option without one is a switch. */
  readonly argument?: string
  /** Value of an option that is given without its argument, which then needs `=` when it is given. */
  readonly withoutArgument?: string
  /** Words that the argument may be, where it is one of some, or a list of them. */
  readonly words?: readonly string[]
  /** The default, in words. */
  readonly byDefault?: string
  /** What it does: a sentence without a period. */
  readonly help: string
  /** More sentences, for the manual page. */
  readonly more?: string
  /** Long names of options that it contradicts; naming a pair once is enough. */
  readonly conflicts?: readonly string[]
  /** Writes it into the settings; `value` is empty for a switch. */
  readonly set: (settings: S, value: string) => void
}

/** Options under one heading. */
export interface OptionGroup<S = Settings> {
  readonly title: string
  readonly options: readonly Option<S>[]
}

/** An option that scripts written for other versions may give, and that is refused by name. */
export interface MissingOption {
  /** Why it is not there for good, as a sentence without a period; else its feature is not supported yet. */
  readonly instead?: string
  readonly long: string
  readonly short: string
  readonly argument?: string
  /** What is missing, as in "… is not supported". */
  readonly feature: string
}

/** How an option is named in a message: `--max-length`. */
export function optionName(option: { readonly long: string }): string {
  return `--${option.long}`
}
