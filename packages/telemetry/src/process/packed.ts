import type { Redaction } from '../event/redaction.js'
import type { TimeBase } from '../event/time-base.js'
import { Image } from './image.js'
import type { Executable } from './executable.js'
import { Past } from './past.js'
import { ProcessRecord, type UsageSource } from './entry.js'
import type { IdentityForm } from './identity.js'
import { type HeldBytes, KILLER_BYTES, textsBytes, USAGE_BYTES } from './held.js'
import type { Origin } from './entry-point.js'
import type { Place } from './place.js'
import type { Killer } from './process.js'

/**
 * A process that ended, as bytes: they cost the garbage collector nothing.
 *
 * ```
 *  ┌ flags ┬ numbers ┬ image's numbers ┬ the record with the identity, and mostly image and cwd ┐
 *  0       4        80                104
 * ```
 *
 * What is not in that record is shared with other processes: see `SharedFacts`.
 */
export const PACKED_FIXED_BYTES = 104

const IMAGE_WORD = 20
/** Memory of the object that packed processes share, estimated. */
const OBJECT_BYTES = 160

/** Flags, above the bits of `known`. */
const HAS_PPID = 0x100
const HAS_PGID = 0x200
const HAS_SID = 0x400
/** The text is that of the image, and that of cwd. */
const OWN_IMAGE = 0x800
const OWN_CWD = 0x1000
const HAS_CREATOR = 0x2000
const HAS_LATER_PPID = 0x4000
/** Of the past, which is as it was before an exec. */
const HAS_PAST = 0x8000
const HAS_PAST_PGID = 0x10000
const HAS_PAST_SID = 0x20000
const KNOWN_MASK = 0xff
/** Marks have 14 bits, and are above the flags. */
const MARKS_SHIFT = 18

/** The parts of a packed process that are objects. Siblings mostly share one. Immutable. */
export class SharedFacts {
  readonly form: IdentityForm
  readonly image: Image | undefined
  readonly pastImage: Image | undefined
  readonly pastCwdText: string
  readonly pastCgroup: string | undefined
  readonly pastComm: string | null | undefined
  readonly cwdText: string
  readonly cgroup: string | undefined
  readonly origin: Origin | undefined
  readonly place: Place | undefined
  /** Of the image, which may be in the text. */
  readonly file: Executable | undefined
  readonly newComm: string | null | undefined
  readonly usageSource: UsageSource | undefined
  readonly killer: Killer | undefined
  readonly bootEpochNs: bigint
  readonly exitEpochNs: bigint
  /** Memory that it takes without images, estimated. */
  readonly sizeBytes: number
  /** How many packed processes have it. */
  holders = 0

  /** Takes the shared facts of `process`; `text` is the text that is packed. */
  constructor(process: ProcessRecord, form: IdentityForm, text: string) {
    this.form = form
    this.image = process.image?.isIn(text) === true ? undefined : process.image
    const { past } = process
    this.pastImage = past?.image
    this.pastCwdText = past?.cwdText ?? ''
    this.pastCgroup = past?.cgroup
    this.pastComm = past?.comm
    this.cwdText = process.cwdText === text ? '' : process.cwdText
    this.cgroup = process.cgroup
    this.origin = process.origin
    this.place = process.place
    this.file = process.image?.file
    this.newComm = process.newComm
    this.usageSource = process.usageSource
    this.killer = process.killer
    this.bootEpochNs = process.bootEpochNs
    this.exitEpochNs = process.exitEpochNs
    this.sizeBytes =
      OBJECT_BYTES +
      (process.usageSource === undefined ? 0 : USAGE_BYTES) +
      (process.killer === undefined ? 0 : KILLER_BYTES) +
      textsBytes(process.image, this.cwdText, process.cgroup) +
      textsBytes(past?.image, this.pastCwdText, past?.cgroup)
  }

  /** Counts one more that has it; the first time what it takes itself, too. Returns that. */
  hold(held: HeldBytes): number {
    this.holders += 1
    if (this.holders > 1) return 0
    if (this.image !== undefined) held.addImage(this.image)
    if (this.pastImage !== undefined) held.addImage(this.pastImage)
    return this.sizeBytes
  }

  /** Takes back one `hold`. */
  release(held: HeldBytes): number {
    this.holders -= 1
    if (this.holders > 0) return 0
    if (this.image !== undefined) held.removeImage(this.image)
    if (this.pastImage !== undefined) held.removeImage(this.pastImage)
    return this.sizeBytes
  }

  /** Whether the constructor would make an equal object of these. */
  fits(process: ProcessRecord, form: IdentityForm, text: string): boolean {
    const { image, cwdText, past } = process
    return (
      this.form === form &&
      this.pastImage === past?.image &&
      this.pastCwdText === (past?.cwdText ?? '') &&
      this.pastCgroup === past?.cgroup &&
      this.pastComm === past?.comm &&
      this.cgroup === process.cgroup &&
      this.origin === process.origin &&
      this.place === process.place &&
      this.file === image?.file &&
      this.newComm === process.newComm &&
      this.usageSource === process.usageSource &&
      this.killer === process.killer &&
      this.bootEpochNs === process.bootEpochNs &&
      this.exitEpochNs === process.exitEpochNs &&
      (this.image === image || (this.image === undefined && image?.isIn(text) === true)) &&
      this.cwdText === (cwdText === text ? '' : cwdText)
    )
  }
}

/** Writes what is fixed in size at word `w`; the text belongs `PACKED_FIXED_BYTES` later. */
export function packFixed(process: ProcessRecord, text: string, words: Uint32Array, w: number): void {
  const { image, ppid, pgid, sid, creator, laterPpid, past } = process
  const isOwnImage = image?.isIn(text) === true
  words[w] =
    process.known |
    (ppid === undefined ? 0 : HAS_PPID) |
    (pgid === undefined ? 0 : HAS_PGID) |
    (sid === undefined ? 0 : HAS_SID) |
    (creator === undefined ? 0 : HAS_CREATOR) |
    (laterPpid === undefined ? 0 : HAS_LATER_PPID) |
    (past === undefined ? 0 : HAS_PAST) |
    (past?.pgid === undefined ? 0 : HAS_PAST_PGID) |
    (past?.sid === undefined ? 0 : HAS_PAST_SID) |
    (isOwnImage ? OWN_IMAGE : 0) |
    (process.cwdText === text ? OWN_CWD : 0) |
    (process.marks << MARKS_SHIFT)
  words[w + 1] = text.length
  words[w + 2] = ppid ?? 0
  words[w + 3] = pgid ?? 0
  words[w + 4] = sid ?? 0
  words[w + 5] = process.startLo
  words[w + 6] = process.startHi
  words[w + 7] = creator ?? 0
  words[w + 8] = laterPpid ?? 0
  words[w + 9] = process.cwdStart
  words[w + 10] = process.cwdTail
  words[w + 11] = process.exitStatus
  words[w + 12] = process.exitLo
  words[w + 13] = process.exitHi
  if (past !== undefined) {
    words[w + 14] = past.untilLo
    words[w + 15] = past.untilHi
    words[w + 16] = past.pgid ?? 0
    words[w + 17] = past.sid ?? 0
    words[w + 18] = past.cwdStart
    words[w + 19] = past.cwdTail
  }
  if (isOwnImage) image.pack(words, w + IMAGE_WORD)
}

/** Characters of the text of the process that is packed at word `w`. */
export function packedTextLength(words: Uint32Array, w: number): number {
  return words[w + 1] as number
}

/** The process that was packed at word `w`, of which `text` is the text. */
export function unpack(
  pid: number,
  timeBase: TimeBase,
  shared: SharedFacts,
  words: Uint32Array,
  w: number,
  text: string,
  redaction?: Redaction,
): ProcessRecord {
  const process = new ProcessRecord(pid, timeBase)
  const flags = words[w] as number
  const signed = (word: number): number => (words[w + word] as number) | 0
  process.known = flags & KNOWN_MASK
  process.marks = flags >>> MARKS_SHIFT
  if ((flags & HAS_PPID) !== 0) process.ppid = words[w + 2]
  if ((flags & HAS_PGID) !== 0) process.pgid = words[w + 3]
  if ((flags & HAS_SID) !== 0) process.sid = words[w + 4]
  process.startLo = signed(5)
  process.startHi = signed(6)
  if ((flags & HAS_CREATOR) !== 0) process.creator = words[w + 7]
  if ((flags & HAS_LATER_PPID) !== 0) process.laterPpid = words[w + 8]
  process.setCwd((flags & OWN_CWD) === 0 ? shared.cwdText : text, signed(9), words[w + 10] as number)
  process.exitStatus = signed(11)
  process.exitLo = signed(12)
  process.exitHi = signed(13)
  process.identity = shared.form.identityIn(text)
  process.image =
    (flags & OWN_IMAGE) === 0 ? shared.image : Image.unpack(text, words, w + IMAGE_WORD, redaction)
  if ((flags & OWN_IMAGE) !== 0 && process.image !== undefined) process.image.file = shared.file
  if ((flags & HAS_PAST) !== 0) {
    const facts = {
      identity: undefined,
      newComm: shared.pastComm,
      image: shared.pastImage,
      cwdText: shared.pastCwdText,
      cwdStart: signed(18),
      cwdTail: words[w + 19] as number,
      cgroup: shared.pastCgroup,
      pgid: (flags & HAS_PAST_PGID) === 0 ? undefined : words[w + 16],
      sid: (flags & HAS_PAST_SID) === 0 ? undefined : words[w + 17],
    }
    process.past = new Past(facts, signed(14), signed(15), undefined)
  }
  process.cgroup = shared.cgroup
  process.origin = shared.origin
  process.place = shared.place
  process.newComm = shared.newComm
  process.usageSource = shared.usageSource
  process.killer = shared.killer
  process.bootEpochNs = shared.bootEpochNs
  process.exitEpochNs = shared.exitEpochNs
  return process
}
