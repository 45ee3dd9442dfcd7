/**
 * An option, declared once. Types, defaults, checks, what a recording keeps, the options of the command with their help
 * and manual page, and the tables of the docs all follow from it. The comment on a member of an object of specs is what
 * editors show for the option.
 */
export type OptionSpec = FlagSpec | NumberSpec | PathSpec | ChoiceSpec | ListSpec | InstanceSpec

/** Options by name. */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>

interface SpecBase {
  /** It decides which events come of the same records, so a recording keeps it and a replay may change it. */
  readonly isRecorded?: boolean
  /** It says how events are made of records, so with `bypass` it has no meaning. */
  readonly notWithBypass?: boolean
  /** How a command line gives it; several forms if it has several. */
  readonly command?: CommandForm | readonly CommandForm[]
}

/** True or false. */
export interface FlagSpec extends SpecBase {
  readonly type: 'flag'
  readonly default: boolean
}

/** A whole number: of things, of bytes, or of milliseconds. */
export interface NumberSpec extends SpecBase {
  readonly type: 'count' | 'bytes' | 'ms'
  readonly default: number
  readonly min: number
  readonly max: number
  readonly isPowerOfTwo?: boolean
}

/** Name of a file; without it there is none. */
export interface PathSpec extends SpecBase {
  readonly type: 'path'
  readonly default?: undefined
}

/** One of some words, or an object of a class in place of them. */
export interface ChoiceSpec extends SpecBase {
  readonly type: 'choice'
  readonly default: string
  readonly words: readonly string[]
  readonly or?: InstanceOf
}

/** Some of some words, in an order that counts; at least one. */
export interface ListSpec extends SpecBase {
  readonly type: 'list'
  readonly default: readonly string[]
  readonly words: readonly string[]
  /** What one of them is called: `backend`. */
  readonly item: string
}

/** An object of a class; without it there is none. */
export interface InstanceSpec extends SpecBase {
  readonly type: 'instance'
  readonly default?: undefined
  readonly of: InstanceOf
}

/** A class whose objects an option takes. */
export interface InstanceOf {
  // oxlint-disable-next-line typescript/no-explicit-any -- any constructor will do: only its objects are looked at
  readonly class: abstract new (...args: any) => unknown
  /** With its article: `an AbortSignal`. */
  readonly noun: string
}

/** Where the option stands in the help of a command. */
export type CommandGroup = 'watch' | 'buffer' | 'source' | 'mode'

/** An option of a command line that gives the option of the library. */
export interface CommandForm {
  /** Name after two dashes. */
  readonly long: string
  /** Letter after one dash. */
  readonly short?: string
  readonly group: CommandGroup
  /** Long name of the option of the group that it follows in the help; default: it comes last. */
  readonly after?: string
  /** Name of the argument; without one the option is a switch. */
  readonly argument?: string
  /** Value of an option that is given without its argument. */
  readonly withoutArgument?: string
  /** What holds when it is not given, in words; default: the default. */
  readonly byDefault?: string
  /** What it does: a sentence without a period. */
  readonly help: string
  /** More sentences, for the manual page. */
  readonly more?: string
  /** Long names of options that it contradicts; naming a pair once is enough. */
  readonly conflicts?: readonly string[]
  /** Value that a switch gives; default true. */
  readonly value?: unknown
  /** Word that a switch adds to a list. */
  readonly adds?: string
  /** Largest number that a command line may give, if it is less than the option's. */
  readonly max?: number
}

/** The type of an option's value. */
export type ValueOf<S extends OptionSpec> = S extends FlagSpec
  ? boolean
  : S extends NumberSpec
    ? number
    : S extends PathSpec
      ? string
      : S extends ListSpec
        ? readonly S['words'][number][]
        : S extends ChoiceSpec
          ? S['words'][number] | ObjectOf<S['or']>
          : S extends InstanceSpec
            ? ObjectOf<S['of']>
            : never

type ObjectOf<I> = I extends { readonly class: abstract new (...args: never) => infer T } ? T : never

/** The options as a caller gives them: all may be left out. */
export type OptionsOf<S extends OptionSpecs> = { readonly [Name in keyof S]?: ValueOf<S[Name]> }

/** The options with every default filled in; those without one may be absent. */
export type SettingsOf<S extends OptionSpecs> = {
  readonly [Name in keyof S as S[Name] extends Optional ? never : Name]: ValueOf<S[Name]>
} & { readonly [Name in keyof S as S[Name] extends Optional ? Name : never]?: ValueOf<S[Name]> }

type Optional = PathSpec | InstanceSpec

/** Names of the options that a recording keeps. */
export type RecordedNames<S extends OptionSpecs> = {
  [Name in keyof S]: S[Name] extends { readonly isRecorded: true } ? Name : never
}[keyof S]
