/** A probe: where it hooks, when it fires, and what its record holds. One declaration, no code. */

import {
  describe,
  type ExprNode,
  type MapEffect,
  nodeOf,
  type ProbeMap,
  type Scalar,
  type Value,
} from './expr.js'
import { type Field, isTail } from './fields.js'
import {
  type ArgumentsOf,
  type ArgumentType,
  argumentValues,
  describePrototype,
  type Hook,
} from './hooks/index.js'
import { layoutOf, type RecordLayout } from './layout.js'

/** What the body of a declaration returns. */
export interface ProbeBody<F extends Record<string, Field>> {
  /** The record is written only when this is not 0. */
  readonly when?: Scalar
  /** ns of CLOCK_BOOTTIME that the record is stamped with; the time of the hook when absent. */
  readonly time?: Scalar
  /** What to do to maps when `when` holds, before the record is written. */
  readonly effects?: readonly MapEffect[]
  /** Absent for a probe that only works on maps. */
  readonly record?: F
}

export interface ProbeOptions<A extends readonly ArgumentType<Value>[]> {
  /** Name of the program in the kernel; at most 15 characters of [A-Za-z0-9_.]. */
  readonly name: string
  /** Record type: unique among the probes that share a ring, 1 to 31. */
  readonly type: number
  readonly hook: Hook<A>
}

/** A frozen declaration. */
export interface Probe<F extends Record<string, Field> = Record<string, Field>> {
  readonly name: string
  readonly hook: Hook
  readonly when: ExprNode | undefined
  readonly time: ExprNode | undefined
  readonly effects: readonly MapEffect[]
  /** False when the probe only works on maps: its layout has no fields, and no record is ever written. */
  readonly isRecorded: boolean
  readonly layout: RecordLayout<F>
}

/** The TypeScript type of a probe's record. */
export type RecordOf<P> =
  P extends Probe<infer F>
    ? { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never } & {
        readonly type: number
        readonly cpu: number
        readonly seq: number
        readonly timeNs: bigint
      }
    : never

/** Largest record type: counters are kept per type. */
export const MAX_RECORD_TYPE = 31

/**
 * Declares a probe. The body is called once, here, with values that record which members it touches.
 *
 * @throws {RangeError} for a record type or name out of range
 */
export function probe<const A extends readonly ArgumentType<Value>[], F extends Record<string, Field>>(
  options: ProbeOptions<A>,
  body: (...args: ArgumentsOf<A>) => ProbeBody<F>,
): Probe<F> {
  const { name, type, hook } = options
  if (!/^[A-Za-z0-9_.]{1,15}$/.test(name)) {
    throw new RangeError(`Cannot declare a probe named "${name}": use 1 to 15 of A-Z a-z 0-9 _ .`)
  }
  if (!Number.isInteger(type) || type < 1 || type > MAX_RECORD_TYPE) {
    throw new RangeError(
      `Cannot declare probe "${name}" with record type ${type}: use 1 to ${MAX_RECORD_TYPE}`,
    )
  }
  const { when, time, effects = [], record } = body(...argumentValues(hook))
  return Object.freeze({
    name,
    hook,
    when: when === undefined ? undefined : nodeOf(when),
    time: time === undefined ? undefined : nodeOf(time),
    effects,
    isRecorded: record !== undefined,
    layout: layoutOf(type, name, record ?? ({} as F)),
  })
}

/** The maps that a probe looks into or changes. */
export function mapsOf({ when, effects, layout }: Probe): ProbeMap[] {
  const found = new Set<ProbeMap>()
  const visit = (node: ExprNode): void => {
    if (node.kind === 'lookup') {
      found.add(node.map)
      visit(node.key)
    } else if (node.kind === 'binary') {
      visit(node.left)
      visit(node.right)
    } else if (node.kind === 'firstOf') {
      for (const choice of node.choices) visit(choice)
    }
  }
  if (when !== undefined) visit(when)
  for (const effect of effects) {
    found.add(effect.map)
    visit(effect.key)
    if (effect.kind === 'store') visit(effect.value)
  }
  for (const { spec } of [...layout.fixed, ...layout.tails]) {
    for (const input of isTail(spec) ? spec.inputs : [spec.value]) visit(input)
  }
  return [...found]
}

/** A declaration as text: what error messages and the documentation of captured facts print. */
export function describeProbe({ name, hook, when, time, layout }: Probe): string {
  const names = hook.arguments.map((argument) => argument.name)
  const condition = when === undefined ? '' : ` when ${describe(when, names)}`
  const stamp = time === undefined ? '' : ` at ${describe(time, names)}`
  const fields = [...layout.fixed, ...layout.tails].map(({ name: field, spec }) => {
    const inputs = isTail(spec) ? spec.inputs : [spec.value]
    return `${field} = ${spec.kind}(${inputs.map((input) => describe(input, names)).join(', ')})`
  })
  return `${name}: ${hook.kind} ${hook.target}${describePrototype(hook)}${condition}${stamp} { ${fields.join('; ')} }`
}
