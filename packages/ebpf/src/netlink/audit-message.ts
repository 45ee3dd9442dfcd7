/** The records of the kernel's audit system, which are text. */

/** Types of records (include/uapi/linux/audit.h). */
export const AUDIT_SYSCALL = 1300
export const AUDIT_PATH = 1302
export const AUDIT_CWD = 1307
export const AUDIT_EXECVE = 1309
export const AUDIT_EOE = 1320
export const AUDIT_ANOM_ABEND = 1701

/** One record. Those of one event have the same serial number. */
export interface AuditRecord {
  readonly type: number
  readonly serial: number
  /** Epoch ms. The kernel's clock for this advances in steps of some ms. */
  readonly timeMs: number
  /** Values as they are in the text, by their names. */
  readonly fields: ReadonlyMap<string, string>
}

const STAMP = /^audit\((\d{1,15})\.(\d{3}):(\d{1,10})\): ?/
/** A quoted value contains no quotes: the kernel writes text that has them in hexadecimal digits. */
const FIELD = /([^\s=]+)=("[^"]*"|'[^']*'|[^\s]*)/g

/**
 * Reads one datagram: a netlink header of 16 bytes and text. The length in the header is not used: the kernel
 * counts it in two ways. Never throws.
 *
 * @returns undefined when it is no record
 */
export function parseAuditRecord(bytes: Uint8Array): AuditRecord | undefined {
  if (bytes.length < 16) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + 16, bytes.length - 16).toString('latin1')
  const stamp = STAMP.exec(text)
  if (stamp === null) return undefined
  const fields = new Map<string, string>()
  for (const [, name = '', value = ''] of text.slice(stamp[0].length).matchAll(FIELD)) {
    // The kernel writes each field of a record once: a repeated name comes from elsewhere.
    if (!fields.has(name)) fields.set(name, value.replace(/\0+$/, ''))
  }
  return {
    type: view.getUint16(4, true),
    serial: Number(stamp[3]),
    timeMs: Number(stamp[1]) * 1000 + Number(stamp[2]),
    fields,
  }
}

/**
 * A text of a record: quoted, or in hexadecimal digits if it has quotes, spaces, control or non-ASCII characters.
 *
 * @returns undefined when it is absent, as `(null)` is
 */
export function auditText(value: string | undefined): Uint8Array | undefined {
  if (value === undefined) return undefined
  if (value.startsWith('"')) return latin1(value.slice(1, -1))
  return /^([0-9A-Fa-f]{2})+$/.test(value) ? new Uint8Array(Buffer.from(value, 'hex')) : undefined
}

function latin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'))
}

/** A decimal number, such as an id or a result. */
export function auditNumber(value: string | undefined): number | undefined {
  return value !== undefined && /^-?\d{1,16}$/.test(value) ? Number(value) : undefined
}

/** An argument of a system call, which is hexadecimal: its low 32 bits. */
export function auditArgument(value: string | undefined): number | undefined {
  return value !== undefined && /^[0-9a-f]{1,16}$/i.test(value)
    ? Number(BigInt.asUintN(32, BigInt(`0x${value}`)))
    : undefined
}

/**
 * The arguments in the EXECVE records of one event, each NUL-terminated: `argc=2 a0="ls" a1=2D6C`, and long ones
 * as `a1_len=9000 a1[0]=… a1[1]=…`, over as many records as it takes.
 *
 * @returns undefined when a part is missing
 */
export function auditArguments(records: readonly AuditRecord[]): Uint8Array | undefined {
  const fields = new Map(records.flatMap((record) => [...record.fields]))
  const argc = auditNumber(fields.get('argc'))
  // There cannot be more arguments than values.
  if (argc === undefined || argc < 0 || argc > fields.size) return undefined
  const pieces: Uint8Array[] = []
  for (let i = 0; i < argc; i++) {
    const argument = argumentOf(fields, i)
    if (argument === undefined) return undefined
    pieces.push(argument, NUL)
  }
  return new Uint8Array(Buffer.concat(pieces))
}

const NUL = new Uint8Array(1)

function argumentOf(fields: ReadonlyMap<string, string>, i: number): Uint8Array | undefined {
  const whole = fields.get(`a${i}`)
  // An empty one has neither quotes nor digits on some kernels.
  if (whole !== undefined) return whole === '' ? new Uint8Array(0) : auditText(whole)
  const declaredLength = auditNumber(fields.get(`a${i}_len`))
  if (declaredLength === undefined) return undefined
  const pieces: Uint8Array[] = []
  let length = 0
  for (let part = 0; length < declaredLength; part++) {
    const value = fields.get(`a${i}[${part}]`)
    const bytes = auditText(value)
    if (value === undefined || bytes === undefined || bytes.length === 0) return undefined
    pieces.push(bytes)
    // The length is that of the text in the record.
    length += value.startsWith('"') ? bytes.length : value.length
  }
  return new Uint8Array(Buffer.concat(pieces))
}
