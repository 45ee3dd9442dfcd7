/**
 * The heaviest of many names, in bounded memory: the space-saving algorithm (Metwally, Agrawal, El Abbadi, 2005). While
 * there are no more names than places, all is exact. Then a new name takes the place of the lightest one, and its weight
 * as an error: no weight is too small, each is too large by at most its error, and whoever has more than a part of
 * 1/places of all weight is among them.
 */

/** A name, and what is known of it. */
export interface TopRow<T> {
  readonly name: string
  readonly weight: number
  /** The weight is too large by at most this. 0 when it is exact. */
  readonly error: number
  readonly thing: T
}

interface Place<T> {
  name: string
  weight: number
  error: number
  thing: T
  /** Where it is in the heap. */
  at: number
}

/** Names by the sum of their weights, each with a thing that is made anew when the name gets its place. */
export class TopSums<T = undefined> {
  readonly #places: number
  readonly #newThing: () => T
  readonly #byName = new Map<string, Place<T>>()
  /** A heap: the lightest is the first. */
  readonly #heap: Place<T>[] = []
  #isCut = false

  /**
   * @param places most names that are kept; at least 1
   * @param newThing makes what is kept with a name
   */
  constructor(places: number, newThing: () => T) {
    this.#places = places
    this.#newThing = newThing
  }

  /** Names were given up for others: weights may be too large, and light names are missing. */
  get isCut(): boolean {
    return this.#isCut
  }

  /** How many names are kept. */
  get size(): number {
    return this.#heap.length
  }

  /** Adds to the weight of a name, maybe 0, and returns what is kept with it. Weights below 0 are none. */
  add(name: string, weight: number): T | undefined {
    if (!(weight >= 0)) return undefined
    const known = this.#byName.get(name)
    if (known !== undefined) {
      known.weight += weight
      this.#sink(known)
      return known.thing
    }
    const thing = this.#newThing()
    if (this.#heap.length < this.#places) {
      const place = { name: ownName(name), weight, error: 0, thing, at: this.#heap.length }
      this.#heap.push(place)
      this.#byName.set(place.name, place)
      this.#rise(place)
      return thing
    }
    this.#isCut = true
    const lightest = this.#heap[0] as Place<T>
    this.#byName.delete(lightest.name)
    lightest.name = ownName(name)
    lightest.error = lightest.weight
    lightest.weight += weight
    lightest.thing = thing
    this.#byName.set(lightest.name, lightest)
    this.#sink(lightest)
    return thing
  }

  /** The heaviest names, the heaviest first; those of the same weight by name, and none without a weight. */
  rows(most: number): TopRow<T>[] {
    return this.#heap
      .filter(({ weight }) => weight > 0)
      .map(({ name, weight, error, thing }) => ({ name, weight, error, thing }))
      .sort((a, b) => b.weight - a.weight || (a.name < b.name ? -1 : 1))
      .slice(0, most)
  }

  #rise(place: Place<T>): void {
    const heap = this.#heap
    let { at } = place
    while (at > 0) {
      const up = (at - 1) >> 1
      const parent = heap[up] as Place<T>
      if (parent.weight <= place.weight) break
      this.#put(parent, at)
      at = up
    }
    this.#put(place, at)
  }

  #sink(place: Place<T>): void {
    const heap = this.#heap
    let { at } = place
    for (;;) {
      let down = 2 * at + 1
      if (down >= heap.length) break
      const right = heap[down + 1]
      if (right !== undefined && right.weight < (heap[down] as Place<T>).weight) down += 1
      const child = heap[down] as Place<T>
      if (child.weight >= place.weight) break
      this.#put(child, at)
      at = down
    }
    this.#put(place, at)
  }

  #put(place: Place<T>, at: number): void {
    this.#heap[at] = place
    place.at = at
  }
}

/** A copy: to the engine a name may be a part of a text that is much longer, which would stay. */
export function ownName(name: string): string {
  return Buffer.from(name, 'utf8').toString('utf8')
}

/** Things by one number each: the largest of all that were offered. Exact, whatever comes. */
export class TopValues<T> {
  readonly #most: number
  readonly #keyOf: (thing: T) => unknown
  #rows: { readonly value: number; readonly thing: T }[] = []

  /**
   * @param most how many are kept
   * @param keyOf of things with the same key only the largest counts; undefined is a key of its own
   */
  constructor(most: number, keyOf: (thing: T) => unknown) {
    this.#most = most
    this.#keyOf = keyOf
  }

  /** The smallest value that has a chance. */
  get least(): number {
    return this.#rows.length < this.#most ? 0 : (this.#rows[this.#most - 1]?.value ?? 0)
  }

  /** Offers a thing; worth calling if its value is above `least`. */
  offer(value: number, thing: T): void {
    if (!(value > this.least)) return
    const key = this.#keyOf(thing)
    const same = this.#rows.find((row) => key !== undefined && this.#keyOf(row.thing) === key)
    if (same !== undefined && same.value >= value) return
    const others = this.#rows.filter((row) => row !== same)
    const at = others.findIndex((row) => row.value < value)
    others.splice(at === -1 ? others.length : at, 0, { value, thing })
    this.#rows = others.slice(0, this.#most)
  }

  /** The largest first. */
  rows(): readonly { readonly value: number; readonly thing: T }[] {
    return this.#rows
  }
}
