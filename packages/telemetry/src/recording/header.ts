import { arch } from 'node:os'
import { possibleCpuCount } from 'quark-ebpf'
import { describeLayout, MAX_LEVELS } from 'quark-ebpf/probe'
import type { Backend } from '../backend/backend.js'
import { checkOptions } from '../options/check.js'
import type { Settings } from '../options/declare.js'
import { recordedNames } from '../options/spec.js'
import type { Clock } from '../pipeline/clock.js'
import { OptionError, RecordingError } from '../errors.js'
import type { Catalogue } from '../kinds/catalogue.js'
import type { RecordType } from '../kinds/kind.js'
import type { RecordingHeader } from './format.js'
import type { RecordingReader } from './reader.js'

/** Stands for an aggregation table that the caller made: its predicates cannot be recorded. */
const CUSTOM = 'custom'

/** The header of a recording that begins now. */
export function recordingHeader(parts: {
  catalogue: Catalogue
  settings: Settings
  clock: Clock
  kernel: string
  backend: Backend
}): RecordingHeader {
  const { catalogue, settings, clock, kernel, backend } = parts
  const { aggregation } = settings
  return {
    openBootNs: String(clock.openBootNs),
    bootEpochNs: String(clock.bootEpochNs),
    kernel,
    architecture: arch(),
    cpus: possibleCpuCount(),
    levels: MAX_LEVELS,
    backend: backend.name,
    attached: backend.attached,
    missing: backend.missing,
    layouts: catalogue.recordTypes.map(({ layout }) => describeLayout(layout)),
    options: {
      ...Object.fromEntries(
        Object.entries(settings).filter(([name]) => catalogue.options[name]?.isRecorded === true),
      ),
      aggregation: typeof aggregation === 'string' ? aggregation : CUSTOM,
    },
  }
}

/**
 * The settings of a replay: those of the recording, unless told otherwise.
 *
 * @throws {RecordingError} when the recording has other layouts than this version
 * @throws {OptionError} for unusable options, or when the recorded queue had an aggregation table of its own
 */
export function replaySettings(catalogue: Catalogue, reader: RecordingReader, options: object): Settings {
  const layouts = reader.header.layouts.map(shapeOf)
  const types = new Map<number, number>()
  for (const recordType of catalogue.recordTypes) {
    const type = typeIn(layouts, recordType)
    if (type === undefined) {
      throw new RecordingError(
        reader.path,
        0,
        `it is of another version, whose "${recordType.name}" records are laid out differently`,
      )
    }
    if (type !== recordType.layout.type) types.set(type, recordType.layout.type)
  }
  reader.renumber(types)
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const merged = { ...recordedOptions(catalogue, reader), ...given }
  if (reader.header.options['aggregation'] === CUSTOM && merged['aggregation'] === undefined) {
    throw new OptionError(
      'aggregation',
      'The recorded queue had its own aggregation table: give it to the replay too',
    )
  }
  return checkOptions(catalogue.options, merged)
}

/** Kinds of tails as 0.1.0 named them: by what a program read them from. */
const OLD_TAILS: Readonly<Record<string, string>> = {
  userBytes: 'bytes',
  kernelString: 'string',
  userString: 'string',
}

/** The number of a record type in a recording with those layouts; undefined when none is laid out like it. */
function typeIn(layouts: readonly string[], { layout, formerType }: RecordType): number | undefined {
  return [layout.type, formerType].find(
    (type) => type !== undefined && layouts.includes(shapeOf(describeLayout({ ...layout, type }))),
  )
}

/** What counts of a layout's text: type, size, and the fields with their offsets; not the name of the record. */
function shapeOf(layout: string): string {
  return layout
    .replace(/^\S+ /, '')
    .replace(/(\w+) tail$/gm, (_tail, kind: string) => `${OLD_TAILS[kind] ?? kind} tail`)
}

/** The options of the recorded queue, without a table of its own. @throws {RecordingError} */
function recordedOptions(
  { options: specs }: Catalogue,
  { path, header }: RecordingReader,
): Readonly<Record<string, unknown>> {
  const recorded = recordedNames(specs)
  const options = Object.fromEntries(
    Object.entries(header.options).filter(([name, value]) => name !== 'aggregation' || value !== CUSTOM),
  )
  const strange = Object.keys(options).find((name) => !recorded.includes(name))
  if (strange !== undefined) throw new RecordingError(path, 0, `it has the unknown option "${strange}"`)
  try {
    checkOptions(specs, options)
  } catch (error) {
    throw new RecordingError(path, 0, `it has an unusable option: ${(error as Error).message}`, {
      cause: error,
    })
  }
  return options
}
