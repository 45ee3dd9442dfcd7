import type { KindTable } from '../../event/table.js'
import { AccessPlaces } from './places.js'

/** What was denied is reported once per process and path; so many are kept. */
const MAX_DENIED = 4096

/** What was asked for, and what was reported of it. */
export class AccessTable implements KindTable {
  readonly places: AccessPlaces
  readonly evicted = 0
  readonly #denied = new Set<string>()

  constructor(asked: boolean | readonly string[]) {
    this.places = new AccessPlaces(asked)
  }

  get size(): number {
    return this.#denied.size
  }

  /** Whether this is the first time. */
  noteDenied(pid: number, startNs: bigint, path: string): boolean {
    const key = `${pid} ${startNs} ${path}`
    if (this.#denied.has(key)) return false
    this.#denied.add(key)
    if (this.#denied.size > MAX_DENIED) this.#denied.delete(this.#denied.values().next().value as string)
    return true
  }

  /** It is bounded by number. */
  collect(): void {}

  collectInNs(): number {
    return Infinity
  }

  stats(): Readonly<Record<string, number>> {
    return { size: this.size }
  }
}
