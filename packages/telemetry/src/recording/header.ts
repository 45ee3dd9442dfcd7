import { arch } from 'node:os'
import { possibleCpuCount } from 'quark-ebpf'
import { MAX_LEVELS } from 'quark-ebpf/probe'
import { OptionError, RecordingError } from '../errors.js'
import type { AttachedFact, MissingFact } from '../facts/fact.js'
import type { Catalogue } from '../kinds/catalogue.js'
import { checkOptions } from '../options/check.js'
import type { Settings } from '../options/declare.js'
import { recordedNames } from '../options/spec.js'
import type { RecordingHeader } from './format.js'
import { describeType } from './layouts.js'
import type { RecordingReader } from './reader.js'

/** Stands for an aggregation table that the caller made: its predicates cannot be recorded. */
const CUSTOM = 'custom'

/** Properties of the recorded queue that are in the header. */
export interface RecordedQueue {
  readonly catalogue: Catalogue
  readonly settings: Settings
  readonly clock: { readonly openBootNs: bigint; readonly bootEpochNs: bigint }
  readonly bootId?: string | undefined
  readonly kernel: string
  readonly host?: object
  readonly backend: {
    readonly name: string
    readonly attached: readonly AttachedFact[]
    readonly missing: readonly MissingFact[]
  }
}

/** The header of a recording that begins now. */
export function recordingHeader({
  catalogue,
  settings,
  clock,
  bootId,
  kernel,
  host,
  backend,
}: RecordedQueue): RecordingHeader {
  const { kinds, options } = catalogue
  const { aggregation } = settings
  const recorded = Object.entries(settings).filter(([name]) => options[name]?.isRecorded === true)
  const owners = kinds.flatMap((kind) =>
    recordedNames(kind.options).map((name): [string, string] => [name, kind.name]),
  )
  return {
    openBootNs: String(clock.openBootNs),
    bootEpochNs: String(clock.bootEpochNs),
    ...(bootId === undefined ? {} : { bootId }),
    kernel,
    architecture: arch(),
    ...(host === undefined ? {} : { host: { ...host } }),
    ...(settings.redact ? { isRedacted: true } : {}),
    cpus: possibleCpuCount(),
    levels: MAX_LEVELS,
    backend: backend.name,
    attached: backend.attached,
    missing: backend.missing,
    types: kinds.flatMap((kind) => kind.records.map((type) => describeType(kind.name, type))),
    options: {
      ...Object.fromEntries(recorded),
      aggregation: typeof aggregation === 'string' ? aggregation : CUSTOM,
    },
    optionKinds: Object.fromEntries(owners),
  }
}

/** Settings of a replay, and what it lacks. */
export interface ReplayPlan {
  readonly settings: Settings
  /** Options of the recording that belong to kinds which this version does not know. */
  readonly missing: readonly MissingFact[]
}

/**
 * The settings of a replay: those of the recording, unless others are given.
 *
 * @throws {RecordingError} when the recording has unusable options
 * @throws {OptionError} for unusable options, or when the recorded queue had an aggregation table of its own
 */
export function replayPlan(catalogue: Catalogue, reader: RecordingReader, options: object): ReplayPlan {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const { recorded, missing } = recordedOptions(catalogue, reader)
  const merged = { ...recorded, ...given }
  if (reader.header.options['aggregation'] === CUSTOM && merged['aggregation'] === undefined) {
    throw new OptionError(
      'aggregation',
      'The recorded queue had its own aggregation table: give it to the replay too',
    )
  }
  return { settings: checkOptions(catalogue.options, merged), missing }
}

interface RecordedOptions {
  readonly recorded: Readonly<Record<string, unknown>>
  readonly missing: readonly MissingFact[]
}

/** The options of the recorded queue, except an aggregation table of its own. @throws {RecordingError} */
function recordedOptions(
  { options: specs, kinds }: Catalogue,
  { path, header }: RecordingReader,
): RecordedOptions {
  const known = recordedNames(specs)
  const recorded: Record<string, unknown> = {}
  const missing: MissingFact[] = []
  for (const [name, value] of Object.entries(header.options)) {
    const owner = header.optionKinds[name]
    if (known.includes(name)) {
      if (name !== 'aggregation' || value !== CUSTOM) recorded[name] = value
    } else if (owner !== undefined && !kinds.some((kind) => kind.name === owner)) {
      missing.push({
        fact: `option ${name}`,
        reason: `this version of quark does not know the kind "${owner}"`,
      })
    } else {
      throw new RecordingError(path, 0, `it has the unknown option "${name}"`)
    }
  }
  try {
    checkOptions(specs, recorded)
  } catch (error) {
    throw new RecordingError(path, 0, `it has an unusable option: ${(error as Error).message}`, {
      cause: error,
    })
  }
  return { recorded, missing }
}
