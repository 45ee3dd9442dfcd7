import { AggregationTable } from '../aggregate/table.js'
import type { QuarkOptions } from './options.js'
import { BACKEND_NAMES, DEFAULT_BACKENDS } from '../backend/index.js'
import { OptionError } from '../errors.js'

/** Options with every default filled in. */
export type Settings = Required<Omit<QuarkOptions, 'record' | 'btf' | 'signal'>> &
  Pick<QuarkOptions, 'record' | 'btf' | 'signal'>

const DEFAULTS = {
  backends: DEFAULT_BACKENDS,
  aggregation: 'default',
  maxLength: 10_000,
  maxBufferBytes: 16 << 20,
  holdMs: 1000,
  graceMs: 4000,
  maxProcesses: 65_536,
  ringSizeBytes: 2 << 20,
  maxArgvBytes: 128 << 10,
  maxEnvBytes: 0,
  threads: false,
  kernelThreads: false,
  usage: false,
  failedExecs: false,
  releaseEarly: true,
  snapshot: false,
  bypass: false,
  pollMs: 100,
} as const satisfies QuarkOptions

const MAX_TAIL_BYTES = 4 << 20
const PAGE_BYTES = 4096

interface Range {
  readonly min: number
  readonly max: number
}

const RANGES: Readonly<Record<string, Range>> = {
  maxLength: { min: 1, max: 10_000_000 },
  maxBufferBytes: { min: 64 << 10, max: 2 ** 40 },
  holdMs: { min: 0, max: 3_600_000 },
  graceMs: { min: 0, max: 86_400_000 },
  maxProcesses: { min: 16, max: 10_000_000 },
  ringSizeBytes: { min: PAGE_BYTES, max: 1 << 30 },
  maxArgvBytes: { min: 0, max: MAX_TAIL_BYTES },
  maxEnvBytes: { min: 0, max: MAX_TAIL_BYTES },
  pollMs: { min: 1, max: 10_000 },
}

/** Options that say how events are made; with bypass there are none to make. */
const NOT_WITH_BYPASS = ['aggregation', 'snapshot', 'record', 'maxLength', 'holdMs', 'graceMs'] as const

const AGGREGATIONS: readonly unknown[] = ['default', 'minimal', 'none']
const SWITCHES = [
  'releaseEarly',
  'threads',
  'kernelThreads',
  'usage',
  'failedExecs',
  'snapshot',
  'bypass',
] as const
const PATHS = ['record', 'btf'] as const

/**
 * Fills in the defaults.
 *
 * @throws {OptionError} for unknown options, values out of range, and contradictions
 */
export function checkOptions(options: QuarkOptions): Settings {
  const known = new Set([...Object.keys(DEFAULTS), 'record', 'btf', 'signal'])
  for (const name of Object.keys(options)) {
    if (!known.has(name))
      throw new OptionError(name, `Unknown option "${name}": use one of ${[...known].join(', ')}`)
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const settings: Settings = { ...DEFAULTS, ...given }
  checkNumbers(settings)
  checkTypes(settings)
  checkBackends(settings)
  if (settings.bypass) {
    const clash = NOT_WITH_BYPASS.find((name) => given[name] !== undefined && given[name] !== false)
    if (clash !== undefined) {
      throw new OptionError(clash, `Option "${clash}" has no meaning with "bypass": leave one of them out`)
    }
  }
  const btf = settings.btf ?? process.env['QUARK_BTF_PATH']
  return btf === undefined || btf === '' ? settings : { ...settings, btf }
}

function checkNumbers(settings: Settings): void {
  for (const [name, { min, max }] of Object.entries(RANGES)) {
    const value = settings[name as keyof Settings]
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
      throw new OptionError(
        name,
        `Option "${name}" must be a whole number from ${min} to ${max}: ${String(value)}`,
      )
    }
  }
  if ((settings.ringSizeBytes & (settings.ringSizeBytes - 1)) !== 0) {
    const message = `Option "ringSizeBytes" must be a power of two: ${settings.ringSizeBytes}`
    throw new OptionError('ringSizeBytes', message)
  }
}

/** Callers need not have been checked by a compiler, and a wrong word must not pass for the default. */
function checkTypes(settings: Settings): void {
  const { aggregation, signal } = settings
  for (const name of SWITCHES) {
    const value: unknown = settings[name]
    if (typeof value !== 'boolean') {
      throw new OptionError(name, `Option "${name}" must be true or false: ${String(value)}`)
    }
  }
  for (const name of PATHS) {
    const value: unknown = settings[name]
    if (value !== undefined && typeof value !== 'string') {
      throw new OptionError(name, `Option "${name}" must be a path: ${String(value)}`)
    }
  }
  if (!AGGREGATIONS.includes(aggregation) && !(aggregation instanceof AggregationTable)) {
    const message = `Option "aggregation" must be default, minimal, none or a table: ${String(aggregation)}`
    throw new OptionError('aggregation', message)
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new OptionError('signal', `Option "signal" must be an AbortSignal: ${String(signal)}`)
  }
}

function checkBackends({ backends }: Settings): void {
  const backendNames = BACKEND_NAMES.join(', ')
  if (!Array.isArray(backends) || backends.length === 0) {
    throw new OptionError('backends', `Option "backends" must name at least one: use ${backendNames}`)
  }
  for (const backend of backends) {
    if (!BACKEND_NAMES.includes(backend)) {
      throw new OptionError('backends', `Unknown backend "${String(backend)}": use ${backendNames}`)
    }
  }
}
