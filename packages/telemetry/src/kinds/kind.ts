import type { Inquiries, PlaceDetails } from '../process/details.js'
import type { Process } from '../process/process.js'
import type { ProcessTable } from '../process/table.js'
import type { TimeBase } from '../event/time-base.js'
import type { CgroupHierarchy } from '../process/procfs/cgroup-mounts.js'
import type { Settings } from '../options/declare.js'
import type { OptionSpecs, SettingsOf } from '../options/spec.js'
import type { BaseEvent } from '../event/event.js'
import type { EventSpec, ObjectSpec } from '../event/spec.js'
import type { Redaction, TailSecrets } from '../event/redaction.js'
import type { CgroupPaths, KindTable } from '../event/table.js'
import type { JoinRow } from '../event/join.js'
import type { RecordGroup, RecordPlace } from '../event/raw.js'
import type { ShapedType } from '../event/shaped-type.js'
import type { Fact } from '../facts/fact.js'
import type { Names } from '../names/names.js'
import type { SourceClock, Walk } from '../facts/rungs.js'

/** Decides which events are delivered. */
export interface EventFilter {
  /** Events that were left out. */
  readonly refused: number
  /** Called once, when what existed before is in the tables and before the first event is made. */
  begin(tables: Tables): void
  /**
   * Whether an event is delivered; counts those that are not. It is asked before the event is built where an object with
   * these members is enough.
   */
  wants(event: FilteredEvent): boolean
}

/** What a filter looks at; other members depend on the kind. */
export interface FilteredEvent {
  readonly kind: string
}

/** State that `apply` reads and updates. */
export interface Tables {
  /** Which events are delivered; all if there is none. */
  readonly filter?: EventFilter | undefined
  /** Takes the secrets out of what events show; nothing does without. */
  readonly redaction?: Redaction | undefined
  readonly timeBase: TimeBase
  /** Options of the queue, with every default filled in. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly processes: ProcessTable
  readonly cgroups: CgroupPaths
  /** What is known of places beyond the paths of their cgroups. */
  readonly places: PlaceDetails
  /** Names of addresses and sockets: kinds that see names write them. */
  readonly names: Names
  /** All tables, by the names of their kinds. */
  readonly all: ReadonlyMap<string, KindTable>
  /**
   * The table that a kind made.
   *
   * @throws {RangeError} when it has none
   */
  table<T extends KindTable>(kind: string): T
}

/** The parameters for making a kind's table. */
export interface TableContext<T = Settings> {
  readonly settings: T
  readonly timeBase: TimeBase
  readonly filter?: EventFilter | undefined
  /** Takes the secrets out of what events show; nothing does without. */
  readonly redaction?: Redaction | undefined
  /** Undefined where nothing of this machine is to be looked up: in a replay. */
  readonly hierarchy: CgroupHierarchy | undefined
  /** Containers that are to be asked about. Undefined where nobody can be asked: in a replay. */
  readonly inquiries?: Inquiries | undefined
  /** The kernel's number of the hierarchy that records have ids of. Undefined in a replay: the recording has it. */
  readonly cgroupHierarchyId?: number | undefined
}

/**
 * Updates the tables with the records of a group and returns the event to emit, if any. Each record is passed once.
 * Called in order of time; never throws, whatever the records hold.
 */
export type Apply = (group: RecordGroup, tables: Tables) => BaseEvent | undefined

/** One type of record. By its layout a record is validated; a field named `pid` is the process that it is about. */
export interface RecordType extends ShapedType {
  /** For aggregation it counts as the record of that name; the default is its own. */
  readonly column?: string
  /** Share of a ring that such records may fill, 0 to 1, in place of that of the kind. */
  readonly ringShare?: number
  /** Applies a group that begins with such a record. */
  readonly apply: Apply
  /**
   * Called after `apply` until there are none: further events of the same records, which may hold several. They
   * are about the time of the first record.
   */
  readonly more?: (tables: Tables) => BaseEvent | undefined
  /**
   * Takes what a record says into the kind's table when it comes, before it is its turn in the order of time: for what
   * events that are held should have. Never throws.
   */
  readonly learn?: (place: RecordPlace, tables: Tables) => void
  /** Applies such a record that joined an event of another kind, after that kind has made the event. */
  readonly applyJoined?: (place: RecordPlace, event: BaseEvent | undefined, tables: Tables) => void
  /** `apply` asks the filter itself, before it builds an event. */
  readonly asksFilter?: boolean
  /** Nothing follows it in its chain: with a pid as key, in a process's life. */
  readonly isLast?: boolean
  /** Nothing is made of it but an event of its own: where rules leave that out, programs need not write it. */
  readonly standsAlone?: boolean
  /**
   * It has the ends of a connection (`family`, `localPort`, `remotePort` and so on), and becomes an event of that kind, alone or
   * with other such records, which all have the same ends: where rules leave that out by them, programs need not write it.
   */
  readonly ended?: string
  /** After it the process that it is about is another one to rules: it has other ids, another program, or has ended. */
  readonly changesProcess?: boolean
  /** How the secrets of its tails are looked for, before it is recorded or delivered as it is. Of a tail that is not named: as in any text. */
  readonly secrets?: Readonly<Record<string, TailSecrets>>
  /** Its type in recordings of 0.1.0, where that was another one. */
  readonly formerType?: number
  /** Where such records wait, if that is no ring: reported when there was no room. */
  readonly queue?: RecordQueue
  /** In graphs of the buffer: a name of Graphviz's X11 scheme. Default white. */
  readonly colour?: string
}

/** What records wait in that readers of user space make. */
export interface RecordQueue {
  /** In words that follow "lost 3 flow records to": `a full queue of fanotify`. */
  readonly text: string
  /** Name of the option that is its limit; raising it helps. */
  readonly option?: string
  /** Why there is no such option. */
  readonly reason?: string
}

/** What a kind may adapt to: the options, and the cgroup hierarchy of this machine. */
export interface Surroundings<T = Settings> {
  /** Options of every queue, and the kind's own. */
  readonly settings: T
  readonly hierarchy: CgroupHierarchy | undefined
  /** Programs are to keep a set of tracked processes. */
  readonly isTracked?: boolean
  /** Containers that are to be asked about. */
  readonly inquiries?: Inquiries
}

/** Everything that the rest of quark knows about one kind of event. */
export interface Kind<
  S extends OptionSpecs = OptionSpecs,
  E extends readonly EventSpec[] = readonly EventSpec[],
  T = Settings & SettingsOf<S>,
  L extends readonly ProcessList[] = readonly ProcessList[],
> {
  /** Name of its folder, its table in statistics and its group of options. */
  readonly name: string
  /** High byte of the types of its records; part of the recording format, so it never changes. */
  readonly number: number
  /** Share of a ring that its records may fill, 0 to 1, so that a flood of them leaves room for others. Default 1. */
  readonly ringShare?: number
  /** Its options; may be empty. */
  readonly options: S
  /**
   * What its options mean on this machine: called when a queue is opened, before all else. What it returns replaces them, also
   * in the recording.
   */
  resolve?(settings: T): Partial<T>
  /** Loads what only its events need, before a queue is opened, so that none waits for it. */
  prepare?(settings: T): void
  /** The facts to learn, in the order in which they are to be attached. */
  facts(surroundings: Surroundings<T>): Fact[]
  /**
   * Records of what existed before the queue was opened. Each has memory of its own.
   *
   * @param walk works until the last record was taken
   */
  scan?(surroundings: Surroundings<T>, clock: SourceClock, walk: Walk): Iterable<Uint8Array>
  readonly records: readonly RecordType[]
  /** Makes its table: the state that it keeps from record to record. */
  table?(context: TableContext<T>): KindTable
  /** Which of its records may become one event, by default and at least. */
  readonly joins: {
    readonly default: readonly JoinRow[]
    readonly minimal: readonly JoinRow[]
  }
  /** Names for its facts in sentences; other facts are called by their own names. */
  readonly factLabels?: Readonly<Record<string, string>>
  /** Counters of what the limits of its options drop. */
  readonly limits?: readonly LimitCounter[]
  /** The events that its records become. */
  readonly events?: E
  /** What it knows of the processes of all events. */
  readonly processLists?: L
}

/** A list beside the process of every event: of what a kind knows that process to have. */
export interface ProcessList<N extends string = string, T extends object = object> {
  /** Member of events, and key in JSON. */
  readonly name: N
  readonly doc: string
  readonly object: ObjectSpec<T>
  /** Where ECS has it. */
  readonly ecs: string
  /** The function that finds it when an event is delivered; undefined where the options do not ask for it. */
  finder(tables: Tables): ProcessListFinder<T> | undefined
}

/** What a process has; undefined or empty for nothing. It is bounded, and does not change any more. */
export type ProcessListFinder<T extends object = object> = (process: Process) => readonly T[] | undefined

/** A counter of a kind's table, of what a limit of the queue dropped. */
export interface LimitCounter {
  /** Name of the counter. */
  readonly counter: string
  /** What was lost, in words that follow the number: `argument lists were cut`. */
  readonly text: string
  /** Name of the option that is the limit; raising it helps. */
  readonly option?: string
  /** Why there is no such option. */
  readonly reason?: string
}
