/** Attaches facts, each by the first of its rungs that works, and reports what is attached and what is missing. */

import { EbpfError, kernelAtLeast } from 'quark-ebpf'
import { QuarkError } from '../errors.js'
import type { AttachedFact, Fact, MissingFact } from '../facts/fact.js'
import type { Rung } from '../facts/rungs.js'
import type { AttachedRung, LoadedRung } from './loaded-rung.js'
import type { Sources } from './sources.js'

/** The rungs of one backend. */
export type RungOf<By extends Rung['by']> = Extract<Rung, { readonly by: By }>

/** Which facts a backend attached, and which are missing. */
export interface Answers {
  readonly attached: AttachedFact[]
  readonly missing: MissingFact[]
}

/**
 * Attaches facts in their order.
 *
 * @param load loads a rung of this backend; throws EbpfError or QuarkError to have the next one tried
 * @throws {EbpfError} or {QuarkError} when a required fact cannot be had
 */
export function attachFacts<By extends Exclude<Rung['by'], 'source'>>(
  facts: readonly Fact[],
  by: By,
  sources: Sources,
  load: (rung: RungOf<By>, fact: Fact) => LoadedRung,
): Answers {
  const answers: Answers = { attached: [], missing: [] }
  const absent: MissingFact[] = []
  const sorted = [...facts].sort((a, b) => (a.order ?? 0) - (b.order ?? 0))
  // Loading takes much longer than attaching: all facts are to begin at nearly the same moment.
  const loaded = sorted.map((fact) => {
    const loaders = fact.rungs.flatMap((rung): (() => LoadedRung)[] => {
      if (rung.by === 'source') return [() => sources.load(rung)]
      return rung.by === by ? [() => load(rung as RungOf<By>, fact)] : []
    })
    return new FactLoader(fact, loaders)
  })
  const whole = new Set<string>()
  for (const loader of loaded) {
    const { name, besides } = loader.fact
    if (besides !== undefined && besides.every((fact) => whole.has(fact))) continue
    const rung = loader.attach()
    if (rung?.isWhole === true) whole.add(name)
    if (rung === undefined) absent.push(missingFact(loader, by))
    else answer(answers, loader.fact, rung)
  }
  answers.missing.push(...absent)
  return answers
}

function answer({ attached, missing }: Answers, fact: Fact, rung: AttachedRung): void {
  const { hooks, missing: fields = [], lacks = [] } = rung
  for (const { what, hook, flavor } of hooks) {
    attached.push({ fact: what ?? fact.name, hook, flavor })
  }
  for (const { field, reason } of fields) addMissing(missing, `${fact.name}.${field}`, reason)
  for (const { what, reason, until } of lacks) {
    if (until === undefined || !kernelAtLeast(until)) addMissing(missing, what, reason)
  }
}

/** Adds each lack once: several probes of a fact often lack the same. */
function addMissing(missing: MissingFact[], fact: string, reason: string): void {
  if (!missing.some((known) => known.fact === fact && known.reason === reason)) missing.push({ fact, reason })
}

function missingFact({ fact, refusals }: FactLoader, by: string): MissingFact {
  const [first] = refusals
  // Several rungs often fail for one reason.
  const reason =
    first === undefined
      ? lackingReason(fact, by)
      : [...new Set(refusals.map(({ message }) => message))].join('; ')
  if (fact.required)
    throw (
      first ?? new QuarkError('ERR_QUARK_SYSTEM', `Cannot learn ${fact.name}, which is required: ${reason}`)
    )
  return { fact: fact.name, reason }
}

/** Why a backend has no rung for a fact. */
function lackingReason({ rungs, lacking }: Fact, by: string): string {
  const others = [...new Set(rungs.map((rung) => rung.by))]
  const known = lacking !== undefined && Object.hasOwn(lacking, by) ? lacking[by] : undefined
  if (known !== undefined) return known
  return others.length === 0 ? 'no backend has a way to it' : `only ${others.join(', ')} can have it`
}

/** Goes through the rungs of a fact. The first that can be loaded is loaded at once. */
class FactLoader {
  readonly fact: Fact
  readonly refusals: (EbpfError | QuarkError)[] = []
  readonly #loaders: readonly (() => LoadedRung)[]
  #next = 0
  #loaded: LoadedRung | undefined

  constructor(fact: Fact, loaders: readonly (() => LoadedRung)[]) {
    this.fact = fact
    this.#loaders = loaders
    this.#loaded = this.#loadNext()
  }

  /** Attaches the rung that was loaded, or the next one that works. */
  attach(): AttachedRung | undefined {
    for (; this.#loaded !== undefined; this.#loaded = this.#loadNext()) {
      const loaded = this.#loaded
      const attached = this.#tried(() => loaded.attach())
      if (attached !== undefined) return attached
    }
    return undefined
  }

  #loadNext(): LoadedRung | undefined {
    while (this.#next < this.#loaders.length) {
      const load = this.#loaders[this.#next] as () => LoadedRung
      this.#next += 1
      const loaded = this.#tried(load)
      if (loaded !== undefined) return loaded
    }
    return undefined
  }

  #tried<T>(action: () => T): T | undefined {
    try {
      return action()
    } catch (error) {
      if (!(error instanceof EbpfError || error instanceof QuarkError)) throw error
      this.refusals.push(error)
      return undefined
    }
  }
}
