import { ECS_OPTIONS, LINE_OPTIONS, OPTIONS, type OptionSpecs } from 'quark-telemetry'
import { libraryOptions } from './library-options.js'
import type { MissingOption, Option, OptionGroup } from './option.js'
import { reportOptions } from './run/report-options.js'
import { runOptions, summaryOptions } from './run/options.js'
import {
  lastOptions,
  modeOptions,
  OF_FORMATS,
  outputOptions,
  ruleOptions,
  sourceOptions,
  watchOptions,
} from './own-options.js'

/** All options of the command. */
export interface OptionTable {
  /** In the order of the help text and the manual page. */
  readonly groups: readonly OptionGroup[]
  /** The same in one list. */
  readonly options: readonly Option[]
  /** Options that are refused by name. */
  readonly missing: readonly MissingOption[]
}

/** Options of the C quark-mon, refused by name unless a kind declares them, so that scripts do not fail silently. */
const REFUSED: readonly MissingOption[] = [
  { short: 'F', long: 'file', feature: 'watching files' },
  { short: 'G', long: 'getpid', feature: 'watching getpid(2)' },
  { short: 'H', long: 'shm', feature: 'watching shared memory' },
  { short: 'K', long: 'kube', argument: 'FILE', feature: 'asking Kubernetes' },
  { short: 'L', long: 'module-load', feature: 'watching kernel modules' },
  { short: 'N', long: 'dns', feature: 'watching DNS' },
  {
    short: 'n',
    long: 'nova',
    feature: 'the NOVA backend',
    instead:
      'there is no NOVA backend: the backend eBPF decides rules in the kernel where it can, and quark-mon rules explain FILE says where',
  },
  { short: 'S', long: 'sock-conn', feature: 'watching connections' },
  { short: 'T', long: 'ptrace', feature: 'watching ptrace(2)' },
]

/** The options of a command that watches with a library of these options. */
export function optionTable(specs: OptionSpecs): OptionTable {
  const library = libraryOptions(specs)
  const groups: OptionGroup[] = [
    {
      title: 'What to watch',
      options: [...library.filter(({ group }) => group === 'watch'), ...watchOptions, ...runOptions],
    },
    {
      title: 'Which events to show: all of these must hold',
      options: [...library.filter(({ group }) => group === 'filter'), ...ruleOptions],
    },
    {
      title: 'Output',
      options: [
        ...outputOptions,
        ...library.filter(({ group }) => group === 'output'),
        ...summaryOptions,
        ...libraryOptions({ form: ECS_OPTIONS.form }, 'ecs'),
        ...libraryOptions(LINE_OPTIONS, 'lines'),
      ],
    },
    { title: 'Report about a command', options: reportOptions },
    { title: 'Order and aggregation', options: library.filter(({ group }) => group === 'buffer') },
    {
      title: 'Where events come from',
      options: [...library.filter(({ group }) => group === 'source'), ...sourceOptions],
    },
    {
      title: 'Instead of showing events',
      options: [...modeOptions, ...library.filter(({ group }) => group === 'mode'), ...lastOptions],
    },
  ]
  const refusedBy: Readonly<Record<string, readonly string[]>> = {
    replay: library.filter(({ notWithReplay }) => notWithReplay).map(({ long }) => long),
    'buffer-graph': library.filter(({ group }) => group === 'filter').map(({ long }) => long),
    bypass: [
      ...OF_FORMATS,
      ...library.filter(({ notWithBypass }) => notWithBypass).map(({ long }) => long),
      'process-graph',
      'benchmark',
      'buffer-graph',
    ],
  }
  const whole = groups.map(({ title, options }) => ({
    title,
    options: options.map((option) => withConflicts(option, refusedBy[option.long])),
  }))
  const options = whole.flatMap((group) => group.options)
  const taken = new Set(options.flatMap(({ long, short }) => [long, short]))
  return {
    groups: whole,
    options,
    missing: REFUSED.filter(({ long, short }) => !taken.has(long) && !taken.has(short)),
  }
}

function withConflicts(option: Option, others: readonly string[] = []): Option {
  return others.length === 0 ? option : { ...option, conflicts: [...others, ...(option.conflicts ?? [])] }
}

/** The options of quark-mon. */
export const TABLE: OptionTable = optionTable(OPTIONS)
