/** Rules that say which system calls are audited: `struct audit_rule_data` (include/uapi/linux/audit.h). */

export interface AuditRule {
  /** `AUDIT_ARCH_*`. */
  readonly arch: number
  /** Numbers of system calls. */
  readonly calls: readonly number[]
  /** Only calls that succeeded. Calls that do not return have no success. */
  readonly onlySuccess: boolean
  /** Only calls whose first argument is this. */
  readonly firstArgument?: number
  /** Name by which its owner finds the rule in `AuditControl.rules`. */
  readonly key: string
}

const AUDIT_FILTER_EXIT = 4
const AUDIT_FILTER_TASK = 1
const AUDIT_NEVER = 0
const AUDIT_ALWAYS = 2
const AUDIT_ARCH = 11
const AUDIT_SUCCESS = 104
const AUDIT_ARG0 = 200
const AUDIT_FILTERKEY = 210
const AUDIT_EQUAL = 0x4000_0000
const MAX_FIELDS = 64
const MASK_WORDS = 64

/*
 *   0 flags | 4 action | 8 field count | 12 mask of calls, 64 words
 *   268 fields, 64 words | 524 values, 64 words | 780 comparisons, 64 words | 1036 length of strings | 1040 strings
 */
const MASK_AT = 12
const FIELDS_AT = 268
const VALUES_AT = 524
const COMPARISONS_AT = 780
const LENGTH_AT = 1036
const STRINGS_AT = 1040

/** A rule as the kernel reads it. */
export function encodeAuditRule({ arch, calls, onlySuccess, firstArgument, key }: AuditRule): Uint8Array {
  const name = Buffer.from(key)
  const bytes = Buffer.alloc(STRINGS_AT + name.length)
  const fields: [number, number][] = [
    [AUDIT_ARCH, arch],
    ...(onlySuccess ? ([[AUDIT_SUCCESS, 1]] as [number, number][]) : []),
    ...(firstArgument === undefined ? [] : ([[AUDIT_ARG0, firstArgument]] as [number, number][])),
    [AUDIT_FILTERKEY, name.length],
  ]
  bytes.writeUInt32LE(AUDIT_FILTER_EXIT, 0)
  bytes.writeUInt32LE(AUDIT_ALWAYS, 4)
  bytes.writeUInt32LE(fields.length, 8)
  for (const call of calls) {
    const at = MASK_AT + (call >> 5) * 4
    bytes.writeUInt32LE((bytes.readUInt32LE(at) | (1 << (call & 31))) >>> 0, at)
  }
  for (const [index, [field, value]] of fields.entries()) {
    bytes.writeUInt32LE(field, FIELDS_AT + index * 4)
    bytes.writeUInt32LE(value, VALUES_AT + index * 4)
    bytes.writeUInt32LE(AUDIT_EQUAL, COMPARISONS_AT + index * 4)
  }
  bytes.writeUInt32LE(name.length, LENGTH_AT)
  name.copy(bytes, STRINGS_AT)
  return bytes
}

/** A rule that is in force, as far as callers need it. */
export interface ListedAuditRule {
  readonly key: string | undefined
  /** It keeps new processes from being audited at all. */
  readonly silencesTasks: boolean
  /** The rule as the kernel sent it, to delete it. */
  readonly bytes: Uint8Array
}

/** Reads a rule as the kernel lists it; undefined when it is cut short. Never throws. */
export function parseAuditRule(bytes: Uint8Array): ListedAuditRule | undefined {
  if (bytes.length < STRINGS_AT) return undefined
  const view = Buffer.from(bytes)
  const silencesTasks =
    (view.readUInt32LE(0) & 0xf) === AUDIT_FILTER_TASK && view.readUInt32LE(4) === AUDIT_NEVER
  let key: string | undefined
  let at = STRINGS_AT
  const count = Math.min(view.readUInt32LE(8), MAX_FIELDS)
  for (let index = 0; index < count; index++) {
    const field = view.readUInt32LE(FIELDS_AT + index * 4)
    const value = view.readUInt32LE(VALUES_AT + index * 4)
    if (field === AUDIT_FILTERKEY) key = view.toString('latin1', at, at + value)
    if (STRING_FIELDS.has(field)) at += value
  }
  return { key, silencesTasks, bytes: new Uint8Array(view) }
}

/** Fields whose value is the length of a string: subjects and objects of security modules, watches, keys, exe. */
const STRING_FIELDS = new Set([13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 105, 107, 112, AUDIT_FILTERKEY])

/** Highest number of a system call that a rule can have. */
export const MAX_AUDITED_CALL = MASK_WORDS * 32 - 1
