import type { Identity, IdentityForm, IdentitySource } from '../../process/identity.js'
import { cstringAt, ownLatin1, ownText, u32At, u64At } from '../../memory/text.js'
import { execLayout, forkLayout, idChangeLayout, snapshotLayout } from './records.js'
import { HAS_CAPS, HAS_COMM, HAS_IDENTITY, HAS_IDS, HAS_NAMESPACES, HAS_TTY } from '../../process/known.js'

const { at } = forkLayout
const COMM_BYTES = 15

function shiftOf(layout: { readonly at: { readonly startBootNs: number } }): number {
  return layout.at.startBootNs - at.startBootNs
}

/** Bytes by which the identity lies later than in a fork record: its fields are the same, from the start on. */
export const EXEC_SHIFT = shiftOf(execLayout)
export const ID_CHANGE_SHIFT = shiftOf(idChangeLayout)
export const SNAPSHOT_SHIFT = shiftOf(snapshotLayout)

/** The identity in a record, decoded when it is read. */
export class RecordIdentity implements Identity {
  readonly #text: string
  readonly #shift: number
  readonly #known: number

  /**
   * @param text the record
   * @param shift bytes by which its identity lies later than in a fork record
   * @param known `HAS_` bits
   */
  constructor(text: string, shift: number, known: number) {
    this.#text = text
    this.#shift = shift
    this.#known = known
  }

  get text(): string {
    return this.#text
  }

  get source(): IdentitySource {
    return { text: this.#text, form: formOf(this.#shift, this.#known & HAS_IDENTITY) }
  }

  #u32(offset: number, known: number): number | undefined {
    return (this.#known & known) === 0 ? undefined : u32At(this.#text, this.#shift + offset)
  }

  #cap(offset: number): bigint | undefined {
    return (this.#known & HAS_CAPS) === 0 ? undefined : u64At(this.#text, this.#shift + offset)
  }

  /** 0 stands for a namespace that could not be read. */
  #namespace(offset: number): number | undefined {
    return this.#u32(offset, HAS_NAMESPACES) || undefined
  }

  get uid(): number | undefined {
    return this.#u32(at.uid, HAS_IDS)
  }

  get euid(): number | undefined {
    return this.#u32(at.euid, HAS_IDS)
  }

  get suid(): number | undefined {
    return this.#u32(at.suid, HAS_IDS)
  }

  get gid(): number | undefined {
    return this.#u32(at.gid, HAS_IDS)
  }

  get egid(): number | undefined {
    return this.#u32(at.egid, HAS_IDS)
  }

  get sgid(): number | undefined {
    return this.#u32(at.sgid, HAS_IDS)
  }

  get capInheritable(): bigint | undefined {
    return this.#cap(at.capInheritable)
  }

  get capPermitted(): bigint | undefined {
    return this.#cap(at.capPermitted)
  }

  get capEffective(): bigint | undefined {
    return this.#cap(at.capEffective)
  }

  get capBounding(): bigint | undefined {
    return this.#cap(at.capBounding)
  }

  get capAmbient(): bigint | undefined {
    return this.#cap(at.capAmbient)
  }

  get ttyMajor(): number | undefined {
    return this.#u32(at.ttyMajor, HAS_TTY)
  }

  get ttyMinor(): number | undefined {
    const first = this.#u32(at.ttyMinorStart, HAS_TTY)
    const index = this.#u32(at.ttyIndex, HAS_TTY)
    return first === undefined || index === undefined ? undefined : (first + index) >>> 0
  }

  get loginUid(): number | undefined {
    return this.#login(at.loginUid1)
  }

  get auditSession(): number | undefined {
    return this.#login(at.auditSession1)
  }

  /** 0 stands for none, and for one that is not known. */
  #login(offset: number): number | undefined {
    const next = this.#u32(offset, HAS_IDS) ?? 0
    return next === 0 ? undefined : next - 1
  }

  get utsNs(): number | undefined {
    return this.#namespace(at.utsNs)
  }

  get ipcNs(): number | undefined {
    return this.#namespace(at.ipcNs)
  }

  get mntNs(): number | undefined {
    return this.#namespace(at.mntNs)
  }

  get netNs(): number | undefined {
    return this.#namespace(at.netNs)
  }

  get userNs(): number | undefined {
    return this.#namespace(at.userNs)
  }

  get pidNs(): number | undefined {
    return this.#namespace(at.pidNs)
  }

  get cgroupNs(): number | undefined {
    return this.#namespace(at.cgroupNs)
  }

  get timeNs(): number | undefined {
    return this.#namespace(at.timeNs)
  }

  get comm(): string | undefined {
    if ((this.#known & HAS_COMM) === 0) return undefined
    return cstringAt(this.#text, this.#shift + at.comm, COMM_BYTES)
  }
}

/** Where the fields of an identity are in a fork record. */
const FIRST = at.startBootNs
const END = at.comm + COMM_BYTES + 1

class RecordForm implements IdentityForm {
  readonly shift: number
  readonly known: number

  constructor(shift: number, known: number) {
    this.shift = shift
    this.known = known
  }

  identityIn(text: string): Identity {
    return new RecordIdentity(text, this.shift, this.known)
  }

  cut(text: string): Identity {
    const own = ownLatin1(text.slice(this.shift + FIRST, this.shift + END))
    return new RecordIdentity(own, -FIRST, this.known)
  }
}

/** All forms so far: few, as `known` has 7 bits. */
const forms = new Map<number, RecordForm>()
let lastForm: RecordForm | undefined

function formOf(shift: number, known: number): RecordForm {
  if (lastForm?.shift === shift && lastForm.known === known) return lastForm
  const key = shift * (HAS_IDENTITY + 1) + known
  const form = forms.get(key) ?? new RecordForm(shift, known)
  forms.set(key, form)
  lastForm = form
  return form
}

/** Nothing is known. */
const UNKNOWN = new RecordIdentity('', 0, 0)

/** A name that keeps no record. */
export function ownComm(comm: string | undefined): string | undefined {
  return comm === undefined ? undefined : ownText(comm)
}

/**
 * The identity of an incomplete record, with the gaps filled from the one before, except in groups that the event
 * itself changes: their old values are wrong now.
 *
 * @param changed `HAS_` bits of those groups
 */
export function completedBy(record: Identity, before: Identity, changed: number): Identity {
  const was = (group: number): Identity => ((changed & group) === 0 ? before : UNKNOWN)
  const ids = was(HAS_IDS)
  const caps = was(HAS_CAPS)
  const tty = was(HAS_TTY)
  const namespaces = was(HAS_NAMESPACES)
  return {
    uid: record.uid ?? ids.uid,
    euid: record.euid ?? ids.euid,
    suid: record.suid ?? ids.suid,
    gid: record.gid ?? ids.gid,
    egid: record.egid ?? ids.egid,
    sgid: record.sgid ?? ids.sgid,
    capInheritable: record.capInheritable ?? caps.capInheritable,
    capPermitted: record.capPermitted ?? caps.capPermitted,
    capEffective: record.capEffective ?? caps.capEffective,
    capBounding: record.capBounding ?? caps.capBounding,
    capAmbient: record.capAmbient ?? caps.capAmbient,
    ttyMajor: record.ttyMajor ?? tty.ttyMajor,
    ttyMinor: record.ttyMinor ?? tty.ttyMinor,
    loginUid: record.loginUid ?? before.loginUid,
    auditSession: record.auditSession ?? before.auditSession,
    utsNs: record.utsNs ?? namespaces.utsNs,
    ipcNs: record.ipcNs ?? namespaces.ipcNs,
    mntNs: record.mntNs ?? namespaces.mntNs,
    netNs: record.netNs ?? namespaces.netNs,
    userNs: record.userNs ?? namespaces.userNs,
    pidNs: record.pidNs ?? namespaces.pidNs,
    cgroupNs: record.cgroupNs ?? namespaces.cgroupNs,
    timeNs: record.timeNs ?? namespaces.timeNs,
    comm: ownComm(record.comm ?? was(HAS_COMM).comm),
    text: '',
    source: undefined,
  }
}
