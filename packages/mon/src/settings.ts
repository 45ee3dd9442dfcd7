import type { EcsOptions, LineOptions, QuarkOptions } from 'quark-telemetry'
import type { MetricsAddress } from './metrics/address.js'
import type { ReportSettings } from './run/report-settings.js'
import type { RotationSettings } from './rotation.js'

/** How an event is written. */
export type Format = 'text' | 'dump' | 'json' | 'ecs'

/** Settings of one run; the options of `Quark.open` are filled in directly. */
export interface Settings {
  readonly quark: { -readonly [Name in keyof QuarkOptions]: QuarkOptions[Name] }
  /** Options of the lines that are written. */
  readonly lines: { -readonly [Name in keyof LineOptions]: LineOptions[Name] }
  /** Options of ECS documents alone. */
  readonly ecs: { form?: NonNullable<EcsOptions['form']> }
  format: Format
  /** Text is indented under that of the parent. */
  tree: boolean
  /** File with rules. */
  ruleset: string | undefined
  /** Recordings that events come from, in place of this kernel. */
  replay: readonly string[] | undefined
  /** Overwrite what is in the files of `output` and `record`. */
  truncate: boolean
  /** A run that misses or loses something fails. */
  strict: boolean
  /** File for the graph of the process table. */
  processGraph: string | undefined
  /** How many records to buffer and draw. */
  bufferGraph: number | undefined
  benchmark: boolean
  dropPrivileges: boolean
  /** The command that is run and watched: its name and its arguments. */
  command: readonly string[] | undefined
  /** Name or number of the user that the command runs as. */
  commandUser: string | undefined
  /** Whether the run ends with the last descendant, and not with the command or process itself. */
  waits: boolean
  /** A summary is made; without `everyMs` at the end only, or when SIGUSR1 asks for it. */
  summary: { readonly everyMs?: number } | undefined
  /** What the command did is reported. */
  commandReport: ReportSettings | undefined
  /** How many events end the run. */
  count: number | undefined
  durationMs: number | undefined
  /** File in place of standard output. */
  output: string | undefined
  /** Standard output was asked for by name. */
  isToStandardOutput: boolean
  rotation: { -readonly [Name in keyof RotationSettings]?: RotationSettings[Name] }
  /** Where metrics are served. */
  metrics: MetricsAddress | undefined
  colour: 'auto' | 'always' | 'never'
  verbosity: number
  quiet: boolean
}

/** The settings without options. A live kernel's events begin with a snapshot by default. */
export function defaultSettings(): Settings {
  return {
    quark: {},
    lines: {},
    ecs: {},
    format: 'text',
    tree: false,
    ruleset: undefined,
    replay: undefined,
    truncate: false,
    strict: false,
    processGraph: undefined,
    bufferGraph: undefined,
    benchmark: false,
    dropPrivileges: false,
    command: undefined,
    commandUser: undefined,
    waits: false,
    summary: undefined,
    commandReport: undefined,
    count: undefined,
    durationMs: undefined,
    output: undefined,
    isToStandardOutput: false,
    rotation: {},
    metrics: undefined,
    colour: 'auto',
    verbosity: 0,
    quiet: false,
  }
}
