/**
 * Long records make the engine's heap grow: their text, and the lists that are made of it when it is read, become garbage
 * faster than the engine, which lets its heap grow to a multiple first, collects it. So garbage is collected whenever many
 * bytes of them have come: for a twentieth of the time at most, however large the heap of the process is, as long as the
 * garbage stays bounded.
 */

/** Shorter ones are left to the engine. */
const LONG_BYTES = 16 << 10
/** So many bytes of long records are worth a collection. */
const WORTH_BYTES = 8 << 20
/** So many are collected in any case: on a busy machine, where a collection takes long, as many more would come meanwhile. */
const MOST_BYTES = 32 << 20
/** Between two collections at least so many times what the last one took. */
const PAUSES = 20

export class LongRecords {
  readonly #collect: () => void
  readonly #nowMs: () => number
  #bytes = 0
  #nextMs = 0

  /** @param collect collects the garbage of the process */
  constructor(collect: () => void, nowMs: () => number) {
    this.#collect = collect
    this.#nowMs = nowMs
  }

  /** A record of that length has come. */
  note(lengthBytes: number): void {
    if (lengthBytes >= LONG_BYTES) this.#bytes += lengthBytes
  }

  /** Collects garbage if that is worth it. */
  tidy(): void {
    if (this.#bytes < WORTH_BYTES) return
    const startMs = this.#nowMs()
    if (startMs < this.#nextMs && this.#bytes < MOST_BYTES) return
    this.#collect()
    this.#bytes = 0
    const endMs = this.#nowMs()
    this.#nextMs = endMs + PAUSES * (endMs - startMs)
  }
}
