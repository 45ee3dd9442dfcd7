import type { KindTable } from '../../event/table.js'
import { Completeness } from './completeness.js'

/** What is known of sockets together. */
export class CountedTable implements KindTable {
  readonly completeness = new Completeness()
  readonly size = 0
  readonly evicted = 0

  get unseen(): number {
    return this.completeness.unseen
  }

  collect(): void {
    // Nothing expires.
  }

  collectInNs(): number {
    return Number.POSITIVE_INFINITY
  }

  stats(): Readonly<Record<string, number>> {
    return {}
  }
}
