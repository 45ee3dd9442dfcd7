const KINDS = 256

/**
 * Things by record type, which is a u16: the number of a kind in the high byte, that of a record within the kind in
 * the low one. Few kinds exist, so a small array for each is all the memory that it needs.
 */
export class ByType<T> {
  readonly #kinds: ((T | undefined)[] | undefined)[] = new Array(KINDS).fill(undefined)

  get(type: number): T | undefined {
    const kind = this.#kinds[type >>> 8]
    return kind === undefined ? undefined : kind[type & 0xff]
  }

  set(type: number, value: T): void {
    this.#kinds[type >>> 8] ??= new Array(KINDS).fill(undefined)
    ;(this.#kinds[type >>> 8] as (T | undefined)[])[type & 0xff] = value
  }
}

/** Number of the kind that a record type is of. */
export function kindOf(type: number): number {
  return type >>> 8
}
