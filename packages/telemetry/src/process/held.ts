import type { Image } from './image.js'
import type { PastFacts } from './past.js'
import type { ProcessRecord } from './entry.js'

/** What texts depend on. */
type State = Pick<PastFacts, 'identity' | 'image' | 'cwdText' | 'cgroup'>

/** Memory of an object for a process, and of one for a state that it had, with their parts of fixed size; estimated. */
const PROCESS_BYTES = 640
const PAST_BYTES = 640
export const USAGE_BYTES = 800
export const KILLER_BYTES = 100

/**
 * Counts the bytes that the processes of a table hold: images once, however many have them, and the texts and objects
 * of each process. A process that is counted does not change until it is removed.
 */
export class HeldBytes {
  sizeBytes = 0

  add(process: ProcessRecord): void {
    this.sizeBytes += ownBytes(process)
    if (process.image !== undefined) this.addImage(process.image)
    for (let past = process.past; past !== undefined; past = past.earlier) {
      if (past.image !== undefined) this.addImage(past.image)
    }
  }

  remove(process: ProcessRecord): void {
    this.sizeBytes -= ownBytes(process)
    if (process.image !== undefined) this.removeImage(process.image)
    for (let past = process.past; past !== undefined; past = past.earlier) {
      if (past.image !== undefined) this.removeImage(past.image)
    }
  }

  addImage(image: Image): void {
    if (image.holders === 0) this.sizeBytes += image.sizeBytes
    image.holders += 1
  }

  removeImage(image: Image): void {
    image.holders -= 1
    if (image.holders === 0) this.sizeBytes -= image.sizeBytes
  }
}

/** Bytes of a process without images, and without texts that are those of its images. */
export function ownBytes(process: ProcessRecord): number {
  const { past } = process
  let bytes = PROCESS_BYTES + textBytes(process)
  if (process.usageSource !== undefined) bytes += USAGE_BYTES
  if (process.killer !== undefined) bytes += KILLER_BYTES
  for (let at = past; at !== undefined; at = at.earlier) bytes += PAST_BYTES + textBytes(at)
  return bytes
}

/** Bytes of the texts that a state of a process has beside its image. */
export function textBytes({ identity, image, cwdText, cgroup }: State): number {
  const text = identity === undefined ? '' : identity.text
  const bytes = textsBytes(image, cwdText === text ? '' : cwdText, cgroup)
  return text === '' || image?.isIn(text) === true ? bytes : bytes + text.length
}

/** Bytes of a cwd that is not in the text of the image, and of a cgroup. */
export function textsBytes(image: Image | undefined, cwdText: string, cgroup: string | undefined): number {
  const bytes = cgroup === undefined ? 0 : cgroup.length
  return cwdText === '' || image?.isIn(cwdText) === true ? bytes : bytes + cwdText.length
}

/** Levels to which texts are cut: powers of two from this on. */
export const LEAST_LEVEL = 8
const MOST_LEVEL = 31

/** How many texts there are of which sizes, to find the length to which the largest must be cut for all to fit. */
export class Sizes {
  readonly #counts = new Float64Array(MOST_LEVEL + 1)
  readonly #sums = new Float64Array(MOST_LEVEL + 1)

  add(sizeBytes: number): void {
    if (sizeBytes === 0) return
    const level = MOST_LEVEL - Math.clz32(sizeBytes)
    this.#counts[level] = (this.#counts[level] as number) + 1
    this.#sums[level] = (this.#sums[level] as number) + sizeBytes
  }

  /** The greatest level `n` at which all fit into `maxBytes` when none is longer than 2 ** n; at least the least. */
  levelFor(maxBytes: number): number {
    let all = 0
    for (const sum of this.#sums) all += sum
    let longer = 0
    for (let level = MOST_LEVEL; level > LEAST_LEVEL; level--) {
      longer += this.#counts[level] as number
      all -= this.#sums[level] as number
      if (all + longer * 2 ** level <= maxBytes) return level
    }
    return LEAST_LEVEL
  }
}
