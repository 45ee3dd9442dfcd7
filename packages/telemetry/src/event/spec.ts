/**
 * Declarations of events. The writers of text, dump, JSON and ECS, the tables of docs/json.md and docs/ecs.md and the
 * published JSON Schema follow from them, and name no field themselves.
 */

import type { BaseEvent } from './event.js'
import type { Rule } from './rule.js'
import type { ActivitiesOf } from './activity-spec.js'
import type { SummarySpec } from './summary-spec.js'

/**
 * What a value is. `time` is epoch ns, `duration` ns, `digits` another u64, `capabilities` a set of bits: all
 * of these are bigints. A `flag` is only written when it is true, a `boolean` always. `word` and `words` come from
 * a fixed list. `objects` is a list of objects, `counts` numbers by name, and `values` are values of JSON by name.
 *
 * Uids, gids, errnos, signals and capabilities have names: JSON has those beside them.
 */
export type FieldType =
  | 'pid'
  | 'uid'
  | 'gid'
  | 'number'
  | 'errno'
  | 'signal'
  | 'time'
  | 'duration'
  | 'digits'
  | 'capabilities'
  | 'flag'
  | 'boolean'
  | 'string'
  | 'strings'
  | 'word'
  | 'words'
  | 'bytes'
  | 'object'
  | 'objects'
  | 'counts'
  | 'values'

export type { Rule }

/** What a field is to filters: a port, an address or the name of a host, a name that DNS has, or the path of a file. */
export type FieldRole = 'port' | 'host' | 'dnsName' | 'path'

/** One place in the dump. */
export interface DumpForm<T> {
  /**
   * The line, a space and the name: `PROC.ids uid` is `uid=…` on a line with the tag `PROC`. What follows the
   * dot keeps lines of one tag apart. Without a name the value stands alone.
   */
  readonly at: string
  /** Default: the field's. */
  readonly type?: FieldType
  /** What is written in place of the field; undefined writes nothing. */
  readonly value?: Rule<T, unknown>
}

/** One place in an ECS document. */
export interface EcsForm<T> {
  /** Dotted path: of the document, or below the member that holds the object. */
  readonly path: string
  /**
   * Default: as the field's type has it. `name` is that of a number, `count` the length of a list, `joined` its
   * strings with spaces between them, `all` is true if a set of capabilities is all that the machine has, and `users` are the
   * names of a list of uids, or their numbers, each once.
   */
  readonly as?: FieldType | 'name' | 'count' | 'joined' | 'all' | 'users'
  /** What is written in place of the field; undefined writes nothing. */
  readonly value?: Rule<T, unknown>
  /** How far from the event's own object it is shown, see `Reach`. Default `self`. */
  readonly reach?: Reach
  /** The same in lean documents, whose relatives show less. Default `self`. */
  readonly leanReach?: Reach
  /** The form of documents that has it. Default: both. */
  readonly only?: EcsDocument
  /** For the docs, in place of the field's. */
  readonly doc?: string
}

/** Forms of ECS documents: one that repeats little, and one with all that is known. */
export type EcsDocument = 'lean' | 'full'

/**
 * Which relatives of an object show a field: none, its parent, all that are described, or those that are only
 * referred to as well. Each includes the ones before it.
 */
export type Reach = 'self' | 'parent' | 'relatives' | 'references'

/** One field of an event or object `T`. */
export interface FieldSpec<T> {
  readonly type: FieldType
  /**
   * The member, read by code of its own. Without it the member is read by its name, which takes the engine some
   * 50 ns more: too much for an object that has tens of members and is in every event.
   */
  readonly read?: Rule<T, unknown>
  /** What it means: text for the docs and the schema. */
  readonly doc: string
  /** Unit of a number. */
  readonly unit?: 'bytes' | 'ns'
  /** The smallest number; default 0. */
  readonly min?: number
  /** The largest number; default 2^32 - 1. */
  readonly max?: number
  /** All values of a `word` and of `words`. */
  readonly words?: readonly string[]
  /** Spec of an `object`, and of each of `objects`. */
  readonly object?: ObjectSpec
  /** It is never undefined. */
  readonly isAlwaysKnown?: boolean
  /** A process has it from its parent, so most events have the same value as the one before: writers make use of it. */
  readonly isInherited?: boolean
  /** Filters of these roles read it: a number for a port, else text or a list of texts. */
  readonly roles?: readonly FieldRole[]
  /** It may contain secrets: passwords on command lines, tokens in environments. */
  readonly mayHoldSecrets?: boolean
  /** Key in JSON, default the field's name; null leaves it out. */
  readonly json?: string | null
  /** Where the dump has it; it is left out without. A string is the place. */
  readonly dump?: string | DumpForm<T> | readonly (string | DumpForm<T>)[]
  /** Where ECS has it; it is left out without. A string is the path. */
  readonly ecs?: string | EcsForm<T> | readonly (string | EcsForm<T>)[]
  /** Name among OpenTelemetry's semantic conventions. */
  readonly attribute?: string
}

/** Members that are declared elsewhere (`kind`, the time of an event, `relatives`), never there, or functions. */
type Undeclared<T, K extends keyof T> = [K, T[K]] extends ['kind' | 'relatives', unknown] | ['timeNs', bigint]
  ? true
  : T[K] extends undefined
    ? true
    : T[K] extends (...args: never[]) => unknown
      ? true
      : false

/** Every member of `T` by its name, in the order of JSON. */
export type FieldSpecs<T> = {
  readonly [K in keyof T as Undeclared<T, K> extends true ? never : K]-?: FieldSpec<T>
}

/** Members that events have in common. */
// oxlint-disable-next-line typescript/no-empty-object-type
type AnyMembers = object

/** An object that events hold, such as a process. */
export interface ObjectSpec<T = AnyMembers> {
  /** Its name in the schema and the docs. */
  readonly name: string
  readonly doc: string
  /** Field set of ECS that is its own. What is below it can be shown of relatives, too. */
  readonly place?: string
  readonly fields: FieldSpecs<T>
  /** Lines of the dump in their order; what follows a line's name are its facts in theirs. */
  readonly lines?: readonly string[]
  /** Paths of ECS in the order of documents. What is not among them follows, in the order of declaration. */
  readonly paths?: readonly string[]
  /** Fields that say who or what it is, where all of them are too many. */
  readonly brief?: readonly string[]
  /** Others of its kind that ECS shows beside it. */
  readonly relatives?: readonly RelativeSpec<T>[]
  /** A list of others of its kind, which the event's `relatives` have. */
  readonly lineage?: LineageSpec
}

/** Others of an object's own kind in an order, each of which made the one before. */
export interface LineageSpec {
  /** Member of the event's `relatives`, and key in JSON. */
  readonly name: string
  readonly doc: string
  /** What is shown of each. */
  readonly object: ObjectSpec
  /** Where ECS has the list. */
  readonly ecs: string
}

/** One of an object's own kind to which it is related: a process's parent or leader. */
export interface RelativeSpec<T = AnyMembers> {
  /** Member of the event's `relatives`. */
  readonly name: string
  readonly doc: string
  /** Key in ECS, at the place of the object or in the relative that has this one. */
  readonly key: string
  /** Its number in the object, which is shown if nothing else is known; undefined if there is no such relative. */
  readonly id: Rule<T, number | undefined>
  /** Fields that reach this far are shown. */
  readonly shows: Exclude<Reach, 'self'>
  /** JSON shows it beside the object, in brief. */
  readonly isInJson?: boolean
  /** Key of a boolean: whether it is the object itself. */
  readonly same?: string
  /** What the object says of it, as a member of it: an object of the same for all that have that relative. */
  readonly says?: {
    readonly key: string
    readonly object: ObjectSpec
    readonly value: Rule<T, object | undefined>
  }
  /** As in `EcsForm`. */
  readonly only?: EcsDocument
  /** The relative's own. */
  readonly relatives?: readonly RelativeSpec<T>[]
}

/** How ECS categorises an event. */
export interface EcsEventSpec<E> {
  /** `event.action`. */
  readonly action: string | Rule<E, string>
  /** `event.kind`. Default `event`. */
  readonly kind?: 'event' | 'state' | 'metric'
  /** `event.category`. */
  readonly category: readonly string[]
  /** `event.type`. */
  readonly type: readonly string[] | Rule<E, readonly string[]>
  /** `event.outcome`; absent without. */
  readonly outcome?: 'success' | 'failure' | 'unknown'
  /** `event.dataset`. */
  readonly dataset: string
  /** `event.duration`, ns. */
  readonly duration?: Rule<E, bigint | undefined>
  /** `event.start` and `event.end`, epoch ns, of what is told at another time than that of the event. */
  readonly start?: Rule<E, bigint | undefined>
  readonly end?: Rule<E, bigint | undefined>
  /** It begins a stream: lean documents, too, have all that is known of the host. */
  readonly describesHost?: boolean
  /** As in `ObjectSpec`, for the event's own fields. */
  readonly paths?: readonly string[]
  /** Rows of the docs, where action or type is a rule. */
  readonly rows?: readonly EcsEventRow[]
}

/** A row of the docs about an event's action and type. */
export interface EcsEventRow {
  readonly what: string
  readonly action: string
  readonly type: string
}

/** One event; `R` are the members that it adds to the report of a summary. */
export interface EventSpec<E extends BaseEvent = BaseEvent, R = object> {
  readonly kind: E['kind']
  /** Class of the events. Without it they are objects of none. */
  readonly class?: { readonly prototype: E }
  /** What happened: text for the docs. */
  readonly doc: string
  /** The pid that the event is about; 0 for none. */
  readonly subject: Rule<E, number>
  readonly fields: FieldSpecs<E>
  /** Whether it is a failure. Default: never. */
  readonly isFailure?: Rule<E, boolean>
  /** How long what ended had run, in ns; undefined if nothing ended. */
  readonly runNs?: Rule<E, bigint | undefined>
  /** The option of the queue without which there are no such events. */
  readonly madeWith?: string
  /**
   * Whether an event has its long texts from an earlier one, which has all of them: its lines are shorter. Default: never.
   */
  readonly repeats?: Rule<E, boolean>
  /** Form as one line of text. An event without it has its kind as a word, and nothing but its pid. */
  readonly text?: EventTextSpec<E>
  /** Form in the dump. An event without it is dumped as a star: its fields are not decoded. */
  readonly dump?: EventDumpSpec<E>
  /** Without it the event cannot be written as ECS. */
  readonly ecs?: EcsEventSpec<E>
  /** What a summary says of such events. Default: nothing. */
  readonly summary?: SummarySpec<E, R>
  /** What it is in a report about a command: what its process did. */
  readonly activities?: ActivitiesOf<E>
}

/**
 * What a word or a note is about: something began or goes on, is quiet (it ended as it should, or was there already),
 * changed its rights or its name, or went wrong.
 */
export type Tone = 'began' | 'quiet' | 'changed' | 'wrong'

/** A word of the text. */
export interface TextWord {
  /** What happened: text for the docs. */
  readonly doc: string
  readonly tone: Tone
}

/** The columns of a line of text; one without a value is a dash. */
export interface TextColumns<E> {
  /** The user in whose name it happened. */
  readonly uid?: Rule<E, number | undefined>
  readonly parentPid?: Rule<E, number | undefined>
  readonly parentName?: Rule<E, string | undefined>
  /** The arguments of a command. */
  readonly command?: Rule<E, readonly string[] | undefined>
  /** The name of what has no command. */
  readonly name?: Rule<E, string | undefined>
  /** In place of a command: a sentence without a period. */
  readonly sentence?: Rule<E, string | undefined>
  /** `NAME=value` strings behind the notes. They are not cut at the width of a terminal. */
  readonly environment?: Rule<E, readonly string[] | undefined>
}

/** The types of fields that notes have, and `size`, a number of bytes. */
export type TextNoteType =
  | 'pid'
  | 'uid'
  | 'gid'
  | 'number'
  | 'digits'
  | 'errno'
  | 'signal'
  | 'duration'
  | 'size'
  | 'string'
  | 'strings'
  | 'word'
  | 'flag'

/** One of the notes behind the command. Without a value there is none. */
export interface TextNote<E> {
  /** What is written before the value; all there is of a flag. */
  readonly label: string
  /** What is written behind it. */
  readonly end?: string
  /** `word` and `string` are text, `strings` a command; a `flag` is only its label. */
  readonly type: TextNoteType
  readonly value: Rule<E, unknown>
  /** The value before a change: `1000→0`. Unknown, it is a question mark. */
  readonly before?: Rule<E, unknown>
  /** Default `quiet`. */
  readonly tone?: Tone | Rule<E, Tone>
  /** What is between it and the note before. Default: a comma and a space. */
  readonly gap?: string
  /** Text for the docs. */
  readonly doc: string
  /** How it looks: text for the docs. */
  readonly example: string
}

/** How an event is one line of text. */
export interface EventTextSpec<E> extends TextColumns<E> {
  /** One of `words`. */
  readonly word: Rule<E, string>
  /** In the order of the docs. */
  readonly words: Readonly<Record<string, TextWord>>
  /** In their order. */
  readonly notes?: readonly TextNote<E>[]
}

export interface EventDumpSpec<E> {
  /** What follows the pid in the heading; undefined for nothing. */
  readonly title: Rule<E, string | undefined>
  /** Something went wrong: the heading is red. */
  readonly isAlarm?: boolean
  /** As in `ObjectSpec`. */
  readonly lines?: readonly string[]
}

/** The event that a spec declares. */
export type EventOf<S> = S extends { readonly subject: Rule<infer E, number> } ? E : never

/** A field of any object, with its name. */
export type NamedField = readonly [name: string, field: FieldSpec<object>]

/** All fields of an event or object in the order of JSON. */
export function fieldsOf(spec: { readonly fields: object }): NamedField[] {
  return Object.entries(spec.fields) as NamedField[]
}

/** The lists of relatives of an event's object, as fields of the event. */
export function lineagesOf(fields: readonly NamedField[]): NamedField[] {
  return fields.flatMap(([, field]): NamedField[] => {
    const lineage = field.object?.lineage
    if (lineage === undefined) return []
    const { name, doc, object, ecs } = lineage
    const read = (event: object): unknown =>
      (event as { readonly relatives?: Readonly<Record<string, unknown>> }).relatives?.[name]
    return [[name, { type: 'objects', object, doc, ecs, read }]]
  })
}

/** The places of a field in one format. */
export function formsOf<F extends object>(
  forms: string | F | readonly (string | F)[] | undefined,
): readonly (string | F)[] {
  if (forms === undefined) return []
  return typeof forms === 'string' || !Array.isArray(forms) ? [forms as string | F] : forms
}
