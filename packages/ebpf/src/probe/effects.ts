/** What a probe does to maps when its condition holds. */

import { BuildError } from '../errors.js'
import { emitClaim, emitCount, emitIncrease, emitRemove, emitStore } from './map-code.js'
import type { ExprNode, FieldNodes, MapEffect, ProbeMap } from './nodes.js'
import { resolveMapNumbers } from './numbers.js'
import { type Resolver, Unresolved } from './resolve.js'
import type { ResolvedNumber } from './resolved.js'
import type { Values } from './values.js'

/** What effects share with the rest of their program. */
export interface EffectsOptions {
  readonly probe: string
  readonly resolver: Resolver
  readonly values: Values
}

/** Emits the effects in their order; a claim that was made before ends the program at `leave`, as does what is counted. */
export function emitEffects(effects: readonly MapEffect[], options: EffectsOptions): void {
  for (const effect of effects) {
    if (effect.kind === 'claim' && isKnownTrue(options.resolver, effect.unless)) continue
    emitEffect(effect, options)
    options.values.forgetLookups()
  }
}

function emitEffect(effect: MapEffect, options: EffectsOptions): void {
  const { map } = effect
  const { values } = options
  const key = keyOf(map, effect.key, options)
  if (effect.kind === 'remove') {
    emitRemove(values, map, key)
    return
  }
  const entry = { key, value: valueOf(effect.value, options) }
  if (effect.kind === 'count')
    emitCount(values, map, { ...entry, equal: valueOf(effect.equal, options) }, 'leave')
  else if (effect.kind === 'claim') emitClaim(values, map, entry, 'leave')
  else if (effect.kind === 'store') emitStore(values, map, entry)
  else emitIncrease(values, map, entry)
}

function isKnownTrue(resolver: Resolver, node: ExprNode): boolean {
  const expr = resolver.expr(node)
  return !(expr instanceof Unresolved) && expr.kind === 'constant' && expr.value !== 0n
}

function keyOf(map: ProbeMap, nodes: readonly ExprNode[], options: EffectsOptions): ResolvedNumber[] {
  const fields = map.key.fields.map((field, index) => ({ field, node: nodes[index] as ExprNode }))
  return resolved(fields, 'key', options)
}

function valueOf(fields: FieldNodes, options: EffectsOptions): ResolvedNumber[] {
  return resolved(fields, 'value', options)
}

function resolved(fields: FieldNodes, what: string, { probe, resolver }: EffectsOptions): ResolvedNumber[] {
  const numbers = resolveMapNumbers(resolver, fields)
  if (!(numbers instanceof Unresolved)) return numbers
  throw new BuildError(`Cannot resolve the ${what} of a map in probe "${probe}": ${numbers.reason}`)
}
