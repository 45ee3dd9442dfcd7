/** What a fact lacks of its fields. */

import type { MissingField } from 'quark-ebpf/probe'
import type { MissingFact } from '../pipeline/stats.js'

/** Adds fields of a fact to `missing`, each once: several probes of a fact often lack the same. */
export function addMissingFields(
  missing: MissingFact[],
  fact: string,
  fields: readonly MissingField[],
): void {
  for (const { field, reason } of fields) {
    const name = `${fact}.${field}`
    if (!missing.some((known) => known.fact === name && known.reason === reason)) {
      missing.push({ fact: name, reason })
    }
  }
}
