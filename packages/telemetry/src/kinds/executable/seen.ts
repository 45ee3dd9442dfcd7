import type { RecordPlace } from '../../event/raw.js'
import { u32At, u64At } from '../../event/record-fields.js'
import type { Executable } from '../../process/executable.js'
import { type FileContent, type FileIdentity, keyOf } from './asked.js'
import type { executedLayout } from './records.js'

/** So many files are remembered by the words of their records; a power of two. */
const SLOTS = 512
/** Device and generation, and the two words of each of inode, size, and the times of change. */
const WORDS = 10

/** A file that was executed, and what was made of it last. */
export interface SeenFile {
  readonly words: Uint32Array
  readonly identity: FileIdentity
  readonly key: string
  /** What processes have that execute it, as long as this is what is in it. */
  content: FileContent | undefined
  executable: Executable | undefined
}

/** Of files that are executed again and again, the same objects: numbers of 64 bits and keys are made once. */
export class SeenFiles {
  readonly #slots: (SeenFile | undefined)[] = new Array<SeenFile | undefined>(SLOTS).fill(undefined)

  /** The file of a record. */
  of(place: RecordPlace, at: typeof executedLayout.at): SeenFile {
    const { words } = place
    const w = place.offsetBytes >> 2
    const device = w + (at.device >> 2)
    const numbers = w + (at.inode >> 2)
    const slot = ((words[numbers] as number) ^ (words[numbers + 4] as number)) & (SLOTS - 1)
    const seen = this.#slots[slot]
    if (seen !== undefined && isSame(seen.words, words, device, numbers)) return seen
    const identity = identityAt(place, at)
    const copy = new Uint32Array(WORDS)
    copy.set(words.subarray(device, device + 2))
    copy.set(words.subarray(numbers, numbers + WORDS - 2), 2)
    const made = { words: copy, identity, key: keyOf(identity), content: undefined, executable: undefined }
    this.#slots[slot] = made
    return made
  }
}

function isSame(seen: Uint32Array, words: Uint32Array, device: number, numbers: number): boolean {
  if (seen[0] !== words[device] || seen[1] !== words[device + 1]) return false
  for (let i = 2; i < WORDS; i++) if (seen[i] !== words[numbers + i - 2]) return false
  return true
}

/** What tells the file of a record from others. */
export function identityAt(
  place: RecordPlace,
  at: Readonly<Record<'device' | 'generation' | 'inode' | 'sizeBytes' | 'mtimeNs' | 'ctimeNs', number>>,
): FileIdentity {
  return {
    device: u32At(place, at.device),
    generation: u32At(place, at.generation),
    inode: String(u64At(place, at.inode)),
    sizeBytes: Number(u64At(place, at.sizeBytes)),
    mtimeNs: String(u64At(place, at.mtimeNs)),
    ctimeNs: String(u64At(place, at.ctimeNs)),
  }
}
