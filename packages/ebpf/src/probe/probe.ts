/** A probe: its hook, its condition, and what fills its record. One declaration, no code. */

import { checkFits } from './arithmetic.js'
import { describe } from './describe.js'
import { nodeOf, type Operand, operandNode, type Scalar, type Value } from './expr.js'
import { mapsIn } from './maps.js'
import type { ExprNode, MapEffect, ProbeMap } from './nodes.js'
import type { Fields } from './fields.js'
import {
  type ArgumentsOf,
  type ArgumentType,
  argumentValues,
  describePrototype,
  type Hook,
} from './hooks/index.js'
import type { FixedField, RecordLayout, TailField, TailLimits } from './record.js'
import { checkTailSize, type TailSource, type Typed } from './tails/tail.js'

/** What fills each field of a record. */
export type Fill<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Typed<unknown, unknown, infer Filling> ? Filling : never
}

/** What the body of a declaration returns. */
export interface ProbeBody {
  /** Checked before anything else. If it holds, `finally` happens, whether or not `when` holds too. */
  readonly given?: Scalar
  /** Nothing happens unless this is not 0. */
  readonly when?: Scalar
  /** What to do to maps when `when` holds, before the record is written. */
  readonly effects?: readonly MapEffect[]
  /** Keys to remove from maps at the end: `remove(…)`. */
  readonly finally?: readonly MapEffect[]
}

/** What the body of a declaration with a record returns. */
export type RecordedBody<F extends Fields, L extends keyof F> = ProbeBody & {
  /** ns of CLOCK_BOOTTIME that the record is stamped with; the time of the hook when absent. */
  readonly time?: Scalar
  readonly fill: Fill<Omit<F, L>>
} & ([L] extends [never]
    ? { readonly lacks?: undefined }
    : {
        /** Fields that nothing fills, each with the reason: 0 or unreadable in every record. */
        readonly lacks: { readonly [K in L]: string }
      })

export interface ProbeOptions<A extends readonly ArgumentType<Value>[]> {
  /** Name of the program in the kernel; at most 15 characters of [A-Za-z0-9_.]. */
  readonly name: string
  readonly hook: Hook<A>
}

/** A fixed field of a probe's record, and what fills it. */
export interface FilledField {
  readonly field: FixedField
  readonly value: ExprNode | Lack
}

/** A tail of a probe's record, and what fills it. */
export interface FilledTail {
  readonly field: TailField
  readonly source: TailSource | Lack
  /** Where the probe cuts it. */
  readonly maxBytes: number
}

/** Why a probe does not fill a field. */
export class Lack {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

/** A frozen declaration. */
export interface Probe<F extends Fields = Fields> {
  readonly name: string
  readonly hook: Hook
  readonly given: ExprNode | undefined
  readonly when: ExprNode | undefined
  readonly time: ExprNode | undefined
  readonly effects: readonly MapEffect[]
  readonly finally: readonly MapEffect[]
  /** The record is written only if this is not 0; checked after the effects, which happen all the same. */
  readonly recordWhen: ExprNode | undefined
  /** Undefined when the probe only works on maps. */
  readonly record: RecordLayout<F> | undefined
  readonly fixed: readonly FilledField[]
  readonly tails: readonly FilledTail[]
  /** Where the probe cuts its tails, as `encodeRecord` takes it. */
  readonly limits: TailLimits<F>
  /** The largest record that this probe can write; 0 when it writes none. */
  readonly maxSizeBytes: number
}

/** A probe that writes records. */
export type RecordingProbe<F extends Fields = Fields> = Probe<F> & { readonly record: RecordLayout<F> }

/** Declares a probe that writes no record. */
export function probe<const A extends readonly ArgumentType<Value>[]>(
  options: ProbeOptions<A> & { readonly record?: undefined },
  body: (...args: ArgumentsOf<A>) => ProbeBody,
): Probe<Record<never, never>>
/**
 * Declares a probe. The body is called once, here, with values that record which members it touches.
 *
 * @throws {RangeError} for a name out of range, and for a limit beyond that of the record
 * @throws {TypeError} when a field is filled twice or not at all, or by what it cannot hold
 */
export function probe<
  const A extends readonly ArgumentType<Value>[],
  F extends Fields,
  L extends keyof F = never,
>(
  options: ProbeOptions<A> & { readonly record: RecordLayout<F> },
  body: (...args: ArgumentsOf<A>) => RecordedBody<F, L>,
): RecordingProbe<F>
export function probe(
  options: ProbeOptions<readonly ArgumentType<Value>[]> & { readonly record?: RecordLayout | undefined },
  body: (...args: Value[]) => ProbeBody & Partial<AnyBody>,
): Probe {
  const { name, hook, record } = options
  if (!/^[A-Za-z0-9_.]{1,15}$/.test(name)) {
    throw new RangeError(`Cannot declare a probe named "${name}": use 1 to 15 of A-Z a-z 0-9 _ .`)
  }
  const { given, when, time, effects = [], fill = {}, lacks = {}, ...rest } = body(...argumentValues(hook))
  const filling = new Filling(name, fill, lacks)
  const fixed = (record?.fixed ?? []).map((field) => filling.fixed(field))
  const tails = (record?.tails ?? []).map((field) => filling.tail(field))
  filling.end(record)
  return Object.freeze({
    name,
    hook,
    given: given === undefined ? undefined : nodeOf(given),
    when: when === undefined ? undefined : nodeOf(when),
    time: time === undefined ? undefined : nodeOf(time),
    effects,
    finally: checkFinally(name, rest.finally ?? []),
    recordWhen: undefined,
    record,
    fixed,
    tails,
    limits: Object.fromEntries(tails.map(({ field, maxBytes }) => [field.name, maxBytes])),
    maxSizeBytes: tails.reduce((sum, { maxBytes }) => sum + maxBytes, record?.fixedSizeBytes ?? 0),
  })
}

interface AnyBody {
  readonly time: Scalar
  readonly fill: Readonly<Record<string, unknown>>
  readonly lacks: Readonly<Record<string, string>>
}

/** What a body says of the fields of its record, checked. */
class Filling {
  readonly #probe: string
  readonly #fill: AnyBody['fill']
  readonly #lacks: AnyBody['lacks']

  constructor(probe: string, fill: AnyBody['fill'], lacks: AnyBody['lacks']) {
    this.#probe = probe
    this.#fill = fill
    this.#lacks = lacks
  }

  fixed(field: FixedField): FilledField {
    const value = this.#valueOf(field.name)
    if (value instanceof Lack) return { field, value }
    const node = operandNode(value as Operand)
    const { kind, sizeBytes } = field.type
    if (kind !== 'chars') {
      const place = `"${field.name}" (${kind}) of probe "${this.#probe}"`
      checkFits(node, place, sizeBytes * 8, kind === 's32' || kind === 's64')
    }
    return { field, value: node }
  }

  tail(field: TailField): FilledTail {
    const { name, type } = field
    const source = this.#valueOf(name) as TailSource | Lack
    if (source instanceof Lack) return { field, source, maxBytes: 0 }
    if (source.fills !== type.kind) {
      throw this.#problem(`${source.kind} does not fill "${name}", which is a ${type.kind} tail`)
    }
    const { maxBytes = type.maxBytes } = source
    checkTailSize(maxBytes, type.maxBytes)
    return { field, source, maxBytes }
  }

  /** @throws {TypeError} when the body names a field that the record does not have */
  end(record: RecordLayout | undefined): void {
    for (const name of [...Object.keys(this.#fill), ...Object.keys(this.#lacks)]) {
      if (!Object.hasOwn(record?.at ?? {}, name)) throw this.#problem(`its record has no field "${name}"`)
    }
  }

  #valueOf(name: string): unknown {
    const value = this.#fill[name]
    const reason = this.#lacks[name]
    if (reason === undefined && value === undefined) throw this.#problem(`nothing fills "${name}"`)
    if (reason === undefined) return value
    if (value !== undefined) throw this.#problem(`it fills "${name}", and says that it lacks it`)
    return new Lack(reason)
  }

  #problem(what: string): TypeError {
    return new TypeError(`Cannot declare probe "${this.#probe}": ${what}`)
  }
}

/** At the end of a program only keys can be removed: there is no room for a value. */
export function checkFinally(probe: string, effects: readonly MapEffect[]): readonly MapEffect[] {
  if (effects.every(({ kind }) => kind === 'remove')) return effects
  throw new TypeError(`Cannot declare probe "${probe}": at its end it can only remove keys`)
}

/** The maps that a probe looks into or changes, each once, in no particular order. */
export function mapsOf(probe: Probe): ProbeMap[] {
  const { given, when, effects, finally: last, recordWhen, fixed, tails } = probe
  const found = new Set<ProbeMap>()
  const visit = (node: ExprNode): void => mapsIn(node, found)
  for (const condition of [given, when, recordWhen]) if (condition !== undefined) visit(condition)
  for (const effect of [...effects, ...last]) {
    found.add(effect.map)
    effect.key.forEach(visit)
    if (effect.kind !== 'remove') for (const { node } of effect.value) visit(node)
    if (effect.kind === 'count') for (const { node } of effect.equal) visit(node)
  }
  for (const { value } of fixed) if (!(value instanceof Lack)) visit(value)
  for (const { source } of tails) if (!(source instanceof Lack)) source.inputs.forEach(visit)
  return [...found]
}

/** A declaration as text: what error messages and the documentation of captured facts print. */
export function describeProbe(probe: Probe): string {
  const { name, hook, given, when, recordWhen, time, fixed, tails } = probe
  const names = hook.arguments.map((argument) => argument.name)
  const conditions = [given, when, recordWhen].flatMap((node) =>
    node === undefined ? [] : describe(node, names),
  )
  const condition = conditions.length === 0 ? '' : ` when ${conditions.join(' and ')}`
  const stamp = time === undefined ? '' : ` at ${describe(time, names)}`
  const text = (field: string, kind: string, inputs: readonly ExprNode[]): string =>
    `${field} = ${kind}(${inputs.map((input) => describe(input, names)).join(', ')})`
  const fields = [
    ...fixed.flatMap(({ field, value }) =>
      value instanceof Lack ? [] : text(field.name, field.type.kind, [value]),
    ),
    ...tails.flatMap(({ field, source }) =>
      source instanceof Lack ? [] : text(field.name, source.kind, source.inputs),
    ),
  ]
  return `${name}: ${hook.kind} ${hook.target}${describePrototype(hook)}${condition}${stamp} { ${fields.join('; ')} }`
}
