/**
 * Declarations of options. Types, defaults, checks, what a recording keeps, the options of the command with their
 * help and manual page, and the tables of the docs follow from one declaration.
 */

/** An option. The comment on it, in the object of specs that it belongs to, is what editors show. */
export type OptionSpec =
  | FlagSpec
  | NumberSpec
  | NumbersSpec
  | TextsSpec
  | PathSpec
  | PlacesSpec
  | ChoiceSpec
  | ListSpec
  | InstanceSpec
  | MembersSpec

/** Options by name. */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>

/** Properties that every option may have. */
export interface SpecBase {
  /** It changes which events are made of the same records: a recording keeps it, and a replay may override it. */
  readonly isRecorded?: boolean
  /** A replay may be given it although a recording does not keep it. */
  readonly isReplayed?: boolean
  /** It is about making events of records, so it has no meaning with `bypass`. */
  readonly notWithBypass?: boolean
  /** The backends that it means something to. With another one it cannot be met. */
  readonly onlyWith?: { readonly backends: readonly string[]; readonly reason: string }
  /** How a command line gives it. */
  readonly command?: CommandForm | readonly CommandForm[]
}

/** True or false. */
export interface FlagSpec extends SpecBase {
  readonly type: 'flag'
  readonly default: boolean
  /** It switches on a kind of events that is off by default: `--all` of the command sets it. */
  readonly isKindSwitch?: true
}

/** A whole number: of things, of bytes, or of milliseconds. */
export interface NumberSpec extends SpecBase {
  readonly type: 'count' | 'bytes' | 'ms'
  readonly default: number
  readonly min: number
  readonly max: number
  readonly isPowerOfTwo?: boolean
}

/** Whole numbers in any order, maybe none; undefined by default. A command adds one at a time. */
export interface NumbersSpec extends SpecBase {
  readonly type: 'numbers'
  readonly min: number
  readonly max: number
  /** What one of them is. */
  readonly item: string
}

/** Texts in any order, maybe none; undefined by default. A command adds one at a time. */
export interface TextsSpec extends SpecBase {
  readonly type: 'texts'
  /** Most of them, and characters of each. */
  readonly max: number
  readonly maxChars: number
  /** What one of them is. */
  readonly item: string
}

/** Name of a file; there is none by default. */
export interface PathSpec extends SpecBase {
  readonly type: 'path'
  /** Environment variable that names the file if the option does not. */
  readonly environment?: string
}

/** True for everywhere, or absolute paths; a command adds some at a time, separated by commas. */
export interface PlacesSpec extends SpecBase {
  readonly type: 'places'
  readonly default: boolean
  /** As of a flag. */
  readonly isKindSwitch?: true
}

/** One of some words, or an object of a class in place of them. */
export interface ChoiceSpec extends SpecBase {
  readonly type: 'choice'
  readonly default: string
  readonly words: readonly string[]
  readonly or?: ObjectOfClass
}

/** Some of some words in an order that counts; at least one. */
export interface ListSpec extends SpecBase {
  readonly type: 'list'
  readonly default: readonly string[]
  readonly words: readonly string[]
  /** What one of the words stands for, as in `Unknown backend "…"`. */
  readonly item: string
}

/** An object of a class; there is none by default. */
export interface InstanceSpec extends SpecBase {
  readonly type: 'instance'
  readonly of: ObjectOfClass
}

/** An object with members, each of which a command gives by an option of its own; undefined by default. */
export interface MembersSpec<T extends object = object> extends SpecBase {
  readonly type: 'members'
  readonly members: Readonly<Record<string, MemberSpec>>
  /**
   * Checks what a caller gave.
   *
   * @param name what it is called in messages
   * @throws {OptionError} naming the member
   */
  checked(name: string, value: unknown): T
}

/** A member of such an object. */
export interface MemberSpec {
  readonly command: CommandForm
  /** For the docs: which values it takes. */
  readonly values: string
  /** Words that it may be, where it is one of some, or a list of them. */
  readonly words?: readonly string[]
  readonly doc: string
  /**
   * The value that a command line gives.
   *
   * @param before the one that an earlier option gave
   * @throws {OptionError} with `advice`
   */
  parse(text: string, before: unknown): unknown
}

/** A class whose objects an option takes. */
export interface ObjectOfClass {
  readonly class: abstract new (...args: never) => object
  /** With its article: `an AbortSignal`. */
  readonly noun: string
}

/** Heading of the help text under which a command lists an option. */
export type CommandGroup = 'watch' | 'filter' | 'output' | 'buffer' | 'source' | 'mode'

/** An option of a command line that gives an option of the library. */
export interface CommandForm {
  readonly group: CommandGroup
  /** Name after two dashes. */
  readonly long: string
  /** Letter after one dash. */
  readonly short?: string
  /** Long name of the option that it follows in the help text. Default: it is the last one of its group. */
  readonly after?: string
  /** Name of the argument; an option without one is a switch. */
  readonly argument?: string
  /** Value of an option that is given without its argument. */
  readonly withoutArgument?: string
  /** The default in words; for options with an argument it is made from `default`. */
  readonly byDefault?: string
  /** What it does: a sentence without a period. */
  readonly help: string
  /** More sentences, for the manual page. */
  readonly more?: string
  /** Long names of options that it contradicts; naming a pair once is enough. */
  readonly conflicts?: readonly string[]
  /** Whether the command refuses it with `--bypass`. Default: as the library does. */
  readonly notWithBypass?: boolean
  /** What a switch sets. Default true. */
  readonly value?: boolean | string
  /** Word that a switch adds to a list. */
  readonly adds?: string
  /** Largest number that the command accepts, where that is less than the library does. */
  readonly max?: number
}

/** The type of an option's value. */
export type ValueOf<S extends OptionSpec> = S extends FlagSpec
  ? boolean
  : S extends NumberSpec
    ? number
    : S extends NumbersSpec
      ? readonly number[]
      : S extends TextsSpec
        ? readonly string[]
        : S extends PlacesSpec
          ? boolean | readonly string[]
          : S extends MembersSpec<infer T>
            ? T
            : S extends PathSpec
              ? string
              : S extends ListSpec
                ? readonly S['words'][number][]
                : S extends ChoiceSpec
                  ? S['words'][number] | InstanceOf<S['or']>
                  : S extends InstanceSpec
                    ? InstanceOf<S['of']>
                    : never

type InstanceOf<C> = C extends { readonly class: abstract new (...args: never) => infer T } ? T : never

/** Options as a caller gives them: every one may be left out. */
export type OptionsOf<S extends OptionSpecs> = { readonly [Name in keyof S]?: ValueOf<S[Name]> }

/**
 * Options with every default filled in; those without a default may be absent. Of specs that are not known one by one,
 * nothing is known.
 */
export type SettingsOf<S extends OptionSpecs> = string extends keyof S ? unknown : FilledIn<S>

type FilledIn<S extends OptionSpecs> = {
  readonly [Name in keyof S as S[Name] extends Defaulted ? Name : never]: ValueOf<S[Name]>
} & { readonly [Name in keyof S as S[Name] extends Defaulted ? never : Name]?: ValueOf<S[Name]> }

type Defaulted = { readonly default: unknown }

/** Names of the options that a recording keeps. */
export type RecordedNames<S extends OptionSpecs> = {
  [Name in keyof S]: S[Name] extends { readonly isRecorded: true } ? Name : never
}[keyof S]

/** Names of the options that a replay may be given. */
export type ReplayedNames<S extends OptionSpecs> =
  | RecordedNames<S>
  | { [Name in keyof S]: S[Name] extends { readonly isReplayed: true } ? Name : never }[keyof S]

/** The names of the options that a recording keeps. */
export function recordedNames(specs: OptionSpecs): string[] {
  return Object.keys(specs).filter((name) => specs[name]?.isRecorded === true)
}

/** The default of an option; undefined if it has none. */
export function defaultOf(spec: OptionSpec): unknown {
  return 'default' in spec ? spec.default : undefined
}

/** Whether an option can be true or false: a flag, or places. */
export function isSwitch(spec: OptionSpec): spec is FlagSpec | PlacesSpec {
  return spec.type === 'flag' || spec.type === 'places'
}

/** The forms in which a command line gives an option. */
export function commandForms(spec: OptionSpec): readonly CommandForm[] {
  if (spec.type === 'members') return Object.values(spec.members).map(({ command }) => command)
  const { command = [] } = spec
  return 'long' in command ? [command] : command
}
