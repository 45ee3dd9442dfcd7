/** Checks the JSON of a recording: files may come from anywhere. */

import type { LostCause } from '../event/event.js'
import { MAX_FRAME_BYTES, MIN_RECORD_BYTES, type RecordedType, type RecordingHeader } from './format.js'
import { parseLayout } from './layouts.js'

type Members = Readonly<Record<string, unknown>>

const CAUSES: readonly unknown[] = [
  'ringFull',
  'rejected',
  'recursion',
  'evicted',
  'unseen',
] satisfies LostCause[]
/** No machine has more CPUs, and memory is set aside by their highest number. */
const MAX_CPU = 0xffff
const MAX_TYPE = 0xffff

/** The value if it is a header. */
export function headerOf(value: unknown): RecordingHeader | undefined {
  if (!isHead(value) || !Array.isArray(value['types']) || !value['types'].every(isType)) return undefined
  const { optionKinds } = value
  const isWhole =
    isObject(optionKinds) && Object.values(optionKinds).every((kind) => typeof kind === 'string')
  return isWhole ? (value as unknown as RecordingHeader) : undefined
}

/** The value if it is a header of version 1, whose types are texts. */
export function firstHeaderOf(value: unknown): RecordingHeader | undefined {
  if (!isHead(value) || !Array.isArray(value['layouts'])) return undefined
  const types = value['layouts'].map((text) => (typeof text === 'string' ? parseLayout(text) : undefined))
  if (types.includes(undefined)) return undefined
  return { ...(value as unknown as RecordingHeader), types: types as RecordedType[], optionKinds: {} }
}

/** Checks the members that headers of all versions have. */
function isHead(value: unknown): value is Members {
  return (
    isObject(value) &&
    isObject(value['options']) &&
    isDecimal(value['openBootNs']) &&
    isDecimal(value['bootEpochNs']) &&
    ['kernel', 'architecture', 'backend'].every((name) => typeof value[name] === 'string') &&
    isUint32(value['cpus']) &&
    (value['bootId'] === undefined || typeof value['bootId'] === 'string') &&
    (value['levels'] === undefined || isUint32(value['levels'])) &&
    isListOf(value['attached'], ['fact', 'hook', 'flavor']) &&
    isListOf(value['missing'], ['fact', 'reason'])
  )
}

function isType(value: unknown): value is RecordedType {
  if (
    !isObject(value) ||
    !isListOf(value['fields'], ['name', 'type']) ||
    !isListOf(value['tails'], ['name', 'type'])
  ) {
    return false
  }
  const { kind, name, type, size, isOwn, fields, tails } = value as Members & {
    fields: Members[]
    tails: Members[]
  }
  return (
    typeof kind === 'string' &&
    typeof name === 'string' &&
    isUint32(type) &&
    type <= MAX_TYPE &&
    isUint32(size) &&
    size >= MIN_RECORD_BYTES &&
    size <= MAX_FRAME_BYTES &&
    (isOwn === undefined || typeof isOwn === 'boolean') &&
    fields.every(
      ({ offset, size: bytes }) => isUint32(offset) && isUint32(bytes) && bytes > 0 && offset + bytes <= size,
    ) &&
    tails.every(({ offset }) => isUint32(offset) && offset % 4 === 0 && offset + 4 <= size)
  )
}

/** What a table has learnt; the table itself checks the value. */
export function tableOf(value: unknown): { kind: string; value: unknown } | undefined {
  if (!isObject(value)) return undefined
  const { kind } = value
  return typeof kind === 'string' ? { kind, value: value['value'] } : undefined
}

/** A loss that the backend alone knew of. */
export function lossOf(value: unknown): { cause: LostCause; count: number } | undefined {
  if (!isObject(value)) return undefined
  const { cause, count } = value
  if (!CAUSES.includes(cause) || !isUint32(count)) return undefined
  return { cause: cause as LostCause, count }
}

/** Whose records were lost, and when that was. */
export function lossesOf(value: unknown):
  | {
      losses: { total: number; uids: Map<number, number>; pids: Map<number, number> }
      span: { fromNs: number; toNs: number }
    }
  | undefined {
  if (!isObject(value)) return undefined
  const { total, fromNs, toNs } = value
  const uids = countsOf(value['uids'])
  const pids = countsOf(value['pids'])
  if (uids === undefined || pids === undefined || !isCount(total)) return undefined
  if (!isCount(fromNs) || !isCount(toNs)) return undefined
  return { losses: { total, uids, pids }, span: { fromNs, toNs } }
}

function countsOf(value: unknown): Map<number, number> | undefined {
  if (!Array.isArray(value)) return undefined
  const counts = new Map<number, number>()
  for (const pair of value as unknown[]) {
    if (!Array.isArray(pair) || pair.length !== 2) return undefined
    const [of, count] = pair as unknown[]
    if (!isUint32(of) || !isCount(count)) return undefined
    counts.set(of, count)
  }
  return counts
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

/** A part of the limits of held records. */
export function partOf(value: unknown): number | undefined {
  if (!isObject(value)) return undefined
  const { part } = value
  return typeof part === 'number' && part > 0 && part <= 1 ? part : undefined
}

/** The last number of a CPU. */
export function missingOf(value: unknown): { cpu: number; seq: number } | undefined {
  if (!isObject(value)) return undefined
  const { cpu, seq } = value
  return isUint32(cpu) && cpu <= MAX_CPU && isUint32(seq) ? { cpu, seq } : undefined
}

/** Epoch ns at boot. */
export function bootEpochOf(value: unknown): bigint | undefined {
  return isObject(value) && isDecimal(value['bootEpochNs']) ? BigInt(value['bootEpochNs']) : undefined
}

/** The end mark. */
export function endOf(value: unknown): { nowNs: number } | undefined {
  return isObject(value) && typeof value['nowNs'] === 'number' ? { nowNs: value['nowNs'] } : undefined
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isDecimal(value: unknown): value is string {
  return typeof value === 'string' && /^-?\d{1,20}$/.test(value)
}

function isUint32(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 0xffff_ffff
}

function isListOf(value: unknown, members: readonly string[]): boolean {
  return (
    Array.isArray(value) &&
    value.every((item) => isObject(item) && members.every((name) => typeof item[name] === 'string'))
  )
}
