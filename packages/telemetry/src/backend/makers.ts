/** Passes a socket's messages to the makers of all rungs that need them. */

import type { AttachedFact } from '../facts/fact.js'
import type { Maker, MakerContext, MakerSpec } from '../facts/rungs.js'

export class Makers<Message> {
  /** Each once, however many rungs name it. */
  readonly #specs = new Set<MakerSpec<Message>>()
  #open: readonly Maker<Message>[] = []

  use(spec: MakerSpec<Message>): void {
    this.#specs.add(spec)
  }

  /** Opens those that are used: messages come from now on. */
  open(context: MakerContext): void {
    this.#open = [...this.#specs].map((spec) => spec.open(context))
  }

  /** Facts that the makers add from other sources than the messages. */
  get attached(): AttachedFact[] {
    return [...this.#specs].flatMap(({ adds = [] }) =>
      adds.map(({ what, hook, flavor }) => ({ fact: what, hook, flavor })),
    )
  }

  get unenriched(): number {
    return this.#open.reduce((sum, { unenriched }) => sum + unenriched, 0)
  }

  /** See `Maker`. */
  take(messages: readonly Message[]): void {
    for (const maker of this.#open) maker.take(messages)
  }

  make(later: readonly Message[]): void {
    for (const maker of this.#open) maker.make(later)
  }

  idle(): void {
    for (const maker of this.#open) maker.idle()
  }
}
