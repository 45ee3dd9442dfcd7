/** Maps that probes share with each other and with user space, and what the body of a probe does with them. */

import { checkFits } from './arithmetic.js'
import { type Chars, fromNode, type Operand, operandNode, type Scalar } from './expr.js'
import type { FixedType } from './fields.js'
import type { ExprNode, FieldNodes, MapEffect, MapField, MapShape, ProbeMap, ProbeMapType } from './nodes.js'
import { MAX_KEY_BYTES } from './stack.js'

/** One number or run of bytes, or several by name. */
export type MapParts = FixedType | Readonly<Record<string, FixedType>>

/** What one part of a key or value can be filled with. */
type Filling<T> = T extends FixedType<string> ? Chars : Operand

/** The result of a look-up for one part. */
type Found<T> = T extends FixedType<string> ? Chars : Scalar

/** What a key, or a value, is in expressions. */
export type MapOperands<P extends MapParts> = P extends FixedType
  ? Filling<P>
  : { readonly [K in keyof P]: Filling<P[K]> }

/** The result of a look-up: one number, or the fields of the value. */
export type MapFound<P extends MapParts> = P extends FixedType
  ? Found<P>
  : { readonly [K in keyof P]: Found<P[K]> }

declare const KEY: unique symbol
declare const VALUE: unique symbol

/** A declared map, with the types of its keys and values. */
export interface TypedMap<K extends MapParts = MapParts, V extends MapParts = MapParts> extends ProbeMap {
  readonly [KEY]?: K
  readonly [VALUE]?: V
}

export interface MapOptions<K extends MapParts, V extends MapParts> {
  /** Unique among the maps of a session; at most 15 characters of [A-Za-z0-9_]. */
  readonly name: string
  readonly type: ProbeMapType
  /** `u32` for arrays. */
  readonly key: K
  readonly value: V
  readonly maxEntries: number
}

/** Largest value of a map: what every slot of the scratch has room for. */
export const MAX_VALUE_BYTES = 1000

/**
 * Declares a map. Keys and values are one number, or fields that are laid out by C's rules; bytes between them are 0.
 * `hash` and `array` need Linux 3.19, `percpuHash` and `percpuArray` 4.6, `lruHash` and `lruPercpuHash` 4.10, `lpmTrie` 4.11.
 *
 * The key of an `lpmTrie` begins with a `u32`, the number of bits that count of the bytes behind it. A look-up finds the
 * longest prefix of its key.
 *
 * @throws {RangeError} for a name, number of entries or size that no map can have
 */
export function map<const K extends MapParts, const V extends MapParts>(
  options: MapOptions<K, V>,
): TypedMap<K, V> {
  const { name, type, maxEntries } = options
  if (!/^[A-Za-z0-9_]{1,15}$/.test(name)) {
    throw new RangeError(`Cannot declare a map named "${name}": use 1 to 15 of A-Z a-z 0-9 _`)
  }
  if (!Number.isInteger(maxEntries) || maxEntries < 1 || maxEntries > 0xffff_ffff) {
    throw new RangeError(`Cannot declare map "${name}" with ${maxEntries} entries: use 1 to 4294967295`)
  }
  const key = shapeOf(options.key)
  const value = shapeOf(options.value)
  checkSize(name, 'keys', key, MAX_KEY_BYTES)
  checkSize(name, 'values', value, MAX_VALUE_BYTES)
  const isArray = type === 'array' || type === 'percpuArray'
  if (isArray && !(key.fields.length === 1 && key.sizeBytes === 4)) {
    throw new RangeError(`Cannot declare map "${name}": the keys of an ${type} are numbers of 4 bytes`)
  }
  if (type === 'lpmTrie' && (key.fields.length < 2 || key.fields[0]?.kind !== 'u32')) {
    throw new RangeError(
      `Cannot declare map "${name}": the keys of an lpmTrie are a u32, how many bits count, and what they are of`,
    )
  }
  return Object.freeze({ name, type, key, value, maxEntries })
}

function checkSize(name: string, what: string, { sizeBytes }: MapShape, most: number): void {
  if (sizeBytes < 1 || sizeBytes > most) {
    throw new RangeError(`Cannot declare map "${name}" with ${what} of ${sizeBytes} bytes: use 1 to ${most}`)
  }
}

function isOne(parts: MapParts): parts is FixedType {
  return typeof parts['kind'] === 'string'
}

/** Where the parts of a key or value lie. */
function shapeOf(parts: MapParts): MapShape {
  if (isOne(parts)) {
    const { kind, sizeBytes } = parts
    return { fields: [{ name: '', kind, offset: 0, sizeBytes }], sizeBytes }
  }
  const fields: MapField[] = []
  let offset = 0
  let most = 1
  for (const [name, { kind, sizeBytes, align }] of Object.entries(parts)) {
    offset = Math.ceil(offset / align) * align
    fields.push({ name, kind, offset, sizeBytes })
    offset += sizeBytes
    most = Math.max(most, align)
  }
  return { fields, sizeBytes: Math.ceil(offset / most) * most }
}

/** The nodes of a key's or value's fields; those that are left out are 0. */
function nodesOf(shape: MapShape, given: unknown, where: string, isAmount = false): FieldNodes {
  const [first] = shape.fields
  if (first?.name === '') return [{ field: first, node: checked(first, given, where, isAmount) }]
  const values = given as Readonly<Record<string, unknown>>
  for (const name of Object.keys(values)) {
    if (!shape.fields.some((field) => field.name === name)) {
      throw new TypeError(`Cannot use ${name}: ${where} has no such field`)
    }
  }
  return shape.fields.flatMap((field) => {
    const value = values[field.name]
    return value === undefined
      ? []
      : [{ field, node: checked(field, value, `${where}.${field.name}`, isAmount) }]
  })
}

/** The node of what is given for a field. An amount to add may be negative: it wraps. */
function checked(field: MapField, given: unknown, place: string, isAmount: boolean): ExprNode {
  const node = operandNode(given as Operand)
  const { kind, sizeBytes } = field
  if (isAmount && node.kind === 'constant' && node.value < 0n) {
    checkFits(node, `${place} (${kind})`, sizeBytes * 8, true)
    return { kind: 'constant', value: BigInt.asUintN(sizeBytes * 8, node.value) }
  }
  if (kind !== 'chars') checkFits(node, `${place} (${kind})`, sizeBytes * 8, kind === 's32' || kind === 's64')
  return node
}

/** The nodes of a key, of which all fields must be given. */
function keyOf(map: ProbeMap, given: unknown): ExprNode[] {
  const nodes = nodesOf(map.key, given, `the key of map ${map.name}`)
  if (nodes.length < map.key.fields.length) {
    const lacking = map.key.fields.find((field) => nodes.every((node) => node.field !== field))
    throw new TypeError(`Cannot use a key of map ${map.name} without its field ${lacking?.name}`)
  }
  return nodes.map(({ node }) => node)
}

function valueOf(map: ProbeMap, given: unknown, isAmount = false): FieldNodes {
  return nodesOf(map.value, given, `the value of map ${map.name}`, isAmount)
}

/**
 * The value of `key` in a map: a number, or its fields. What is not there is 0, and `has` is 0 too. Of a
 * map with a value per CPU, it is the one of the CPU that the program runs on.
 */
export function lookup<K extends MapParts, V extends MapParts>(
  map: TypedMap<K, V>,
  key: MapOperands<K>,
): MapFound<V> {
  const nodes = keyOf(map, key)
  const found = (field: string): object => fromNode({ kind: 'lookup', map, key: nodes, gives: { field } })
  if (map.value.fields[0]?.name === '') return found('') as MapFound<V>
  return Object.fromEntries(map.value.fields.map(({ name }) => [name, found(name)])) as MapFound<V>
}

/** 1 when a map has `key`, else 0. */
export function has<K extends MapParts>(map: TypedMap<K, MapParts>, key: MapOperands<K>): Scalar {
  return fromNode({ kind: 'lookup', map, key: keyOf(map, key), gives: 'presence' })
}

/** Stores a value in a map; fields that are left out become 0. A full map of type `hash` stays as it is. */
export function store<K extends MapParts, V extends MapParts>(
  map: TypedMap<K, V>,
  key: MapOperands<K>,
  value: V extends FixedType ? MapOperands<V> : Partial<MapOperands<V>>,
): MapEffect {
  return { kind: 'store', map, key: keyOf(map, key), value: valueOf(map, value) }
}

/**
 * Adds atomically to numbers of the value under `key`, which begin at 0 if the map lacks it, and wrap. A full map of
 * type `hash` takes no new key.
 *
 * @throws {TypeError} for a field that is not 4 or 8 bytes wide
 */
export function increase<K extends MapParts, V extends MapParts>(
  map: TypedMap<K, V>,
  key: MapOperands<K>,
  amounts: V extends FixedType ? MapOperands<V> : Partial<MapOperands<V>>,
): MapEffect {
  const value = amountsOf(map, amounts)
  return { kind: 'increase', map, key: keyOf(map, key), value }
}

/**
 * Adds atomically to numbers of the value under `key` if the map has it and fields of its value equal what is given: the probe
 * ends then, and writes no record. Else nothing happens, and the probe goes on. It looks into the map once.
 *
 * @throws {TypeError} for a field that is not 4 or 8 bytes wide
 */
export function countIf<K extends MapParts, V extends Readonly<Record<string, FixedType>>>(
  map: TypedMap<K, V>,
  key: MapOperands<K>,
  equal: Partial<MapOperands<V>>,
  amounts: Partial<MapOperands<V>>,
): MapEffect {
  const [value, compared] = [amountsOf(map, amounts), valueOf(map, equal)]
  refuseNarrow(map, compared, 'compare')
  return { kind: 'count', map, key: keyOf(map, key), value, equal: compared }
}

function amountsOf(map: ProbeMap, amounts: unknown): FieldNodes {
  const value = valueOf(map, amounts, true)
  refuseNarrow(map, value, 'add to')
  return value
}

function refuseNarrow(map: ProbeMap, value: FieldNodes, what: string): void {
  for (const { field } of value) {
    if (field.kind === 'chars' || field.sizeBytes < 4) {
      throw new TypeError(
        `Cannot ${what} a ${field.kind} of map ${map.name}: only numbers of 4 and 8 bytes can be`,
      )
    }
  }
}

/**
 * Puts a key into a map; when it is there already, the probe ends and writes no record: of several hooks that fire for
 * one thing, on whichever CPUs, the first one reports it. Left out where `unless` is known to be 1. The value is 1 where
 * it is one number; fields are 0 unless they are given.
 *
 * @throws {TypeError} for an array, which has all of its keys
 */
export function claim<K extends MapParts, V extends MapParts>(
  map: TypedMap<K, V>,
  key: MapOperands<K>,
  unless: Operand = 0,
  value?: V extends FixedType ? MapOperands<V> : Partial<MapOperands<V>>,
): MapEffect {
  refuseArray(map, 'claim a key of')
  const [first] = map.value.fields
  const isOneNumber = first?.name === '' && first.kind !== 'chars'
  const stored = valueOf(map, value ?? (isOneNumber ? 1 : {}))
  return { kind: 'claim', map, key: keyOf(map, key), value: stored, unless: operandNode(unless) }
}

/** Removes a key from a map, if it is there. @throws {TypeError} for an array, which keeps all of its keys */
export function remove<K extends MapParts>(map: TypedMap<K, MapParts>, key: MapOperands<K>): MapEffect {
  refuseArray(map, 'remove a key from')
  return { kind: 'remove', map, key: keyOf(map, key) }
}

function refuseArray({ name, type }: ProbeMap, what: string): void {
  if (type === 'array' || type === 'percpuArray') {
    throw new TypeError(`Cannot ${what} map ${name}: an ${type} has all of its keys`)
  }
}

/** The maps that a node looks into. */
export function mapsIn(node: ExprNode, found: Set<ProbeMap>): void {
  const visit = (inner: ExprNode | undefined): void => {
    if (inner !== undefined) mapsIn(inner, found)
  }
  switch (node.kind) {
    case 'lookup':
      found.add(node.map)
      node.key.forEach(visit)
      return
    case 'binary':
      visit(node.left)
      visit(node.right)
      return
    case 'oneOf':
      visit(node.value)
      return
    case 'user':
      visit(node.address)
      return
    case 'walk':
      visit(node.found)
      return
    case 'ifThen':
      visit(node.condition)
      visit(node.value)
      return
    case 'firstNonZero':
    case 'firstOf':
      node.choices.forEach(visit)
      return
    case 'path':
      if (node.root.kind === 'address') visit(node.root.address)
      for (const step of node.steps) {
        if (step.kind !== 'computedIndex') continue
        visit(step.index)
        visit(step.count)
      }
      return
    default:
  }
}
