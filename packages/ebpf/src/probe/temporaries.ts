/** Eight-byte places behind R9, and what each of them holds at the point of the program that is being written. */

/** The values that are in places, by key. */
type Known = Map<string, number>

/**
 * Allocates places. Some are taken until they are given back; the others cache fetched values until something else
 * needs the place. At a label, only the values are known that were known at each jump to it.
 */
export class Temporaries {
  readonly #first: number
  readonly #count: number
  readonly #taken = new Set<number>()
  /** In the order in which the values came. */
  #known: Known = new Map()
  readonly #atLabels = new Map<string, Known>()

  /** `count` places from the offset `first` on. */
  constructor(first: number, count: number) {
    this.#first = first
    this.#count = count
  }

  /** How many places are not taken, those of cached values included. */
  get room(): number {
    return this.#count - this.#taken.size
  }

  /** The place that holds a value here. */
  find(key: string): number | undefined {
    return this.#known.get(key)
  }

  /** A place that nothing else uses until it is given back; `undefined` when all are taken. */
  take(wanted: ReadonlySet<string> = NONE): number | undefined {
    const place = this.#free(wanted)
    if (place !== undefined) this.#taken.add(place)
    return place
  }

  giveBack(place: number): void {
    this.#taken.delete(place)
  }

  /** A place for a value that is about to be fetched. Values of `wanted` are evicted last. */
  keep(key: string, wanted: ReadonlySet<string>): number | undefined {
    const place = this.#free(wanted)
    if (place !== undefined) this.#known.set(key, place)
    return place
  }

  /** From here on, a place that was taken holds this value. */
  learn(key: string, place: number): void {
    this.#known.set(key, place)
  }

  forget(isMeant: (key: string) => boolean): void {
    for (const key of this.#known.keys()) if (isMeant(key)) this.#known.delete(key)
  }

  /** To be called at each jump to a label for which `label` is called later. */
  jump(label: string): void {
    const before = this.#atLabels.get(label)
    this.#atLabels.set(label, before === undefined ? new Map(this.#known) : common(before, this.#known))
  }

  /** To be called where a label is; `isReached` if the code before it falls through to it. */
  label(label: string, isReached: boolean): void {
    const fromJumps = this.#atLabels.get(label)
    this.#atLabels.delete(label)
    if (fromJumps === undefined) return
    this.#known = isReached ? common(fromJumps, this.#known) : fromJumps
  }

  #free(wanted: ReadonlySet<string>): number | undefined {
    const used = new Set([...this.#taken, ...this.#known.values()])
    for (let index = 0; index < this.#count; index += 1) {
      const place = this.#first + index * 8
      if (!used.has(place)) return place
    }
    return this.#evict((key) => !wanted.has(key)) ?? this.#evict(() => true)
  }

  #evict(isMeant: (key: string) => boolean): number | undefined {
    for (const [key, place] of this.#known) {
      if (this.#taken.has(place) || !isMeant(key)) continue
      this.forget((other) => this.#known.get(other) === place)
      return place
    }
    return undefined
  }
}

const NONE: ReadonlySet<string> = new Set()

function common(a: Known, b: Known): Known {
  return new Map([...a].filter(([key, place]) => b.get(key) === place))
}
