/** Runs what probes declare, in place of the kernel: the expressions that programs are made of, over maps of this process. */

import type { MapEffect, Probe } from 'quark-ebpf/probe'

type Expression = NonNullable<Probe['recordWhen']>

/** One number, or all of them in their order. */
type Key = number | string

/** A key of several numbers, by their names, as user space has it. */
type Fields = object

/** Maps by name. Of a trie the first number of a key is how many bits count of the bytes of the others. */
export class ModelMaps {
  readonly #maps = new Map<string, Map<Key, Record<string, bigint>>>()

  of(name: string): Map<Key, Record<string, bigint>> {
    let map = this.#maps.get(name)
    if (map === undefined) this.#maps.set(name, (map = new Map()))
    return map
  }

  /** The same as user space sees it, of which the value is one number. */
  byFields(name: string): { set(key: Fields, value: number): void; delete(key: Fields): boolean } {
    const map = this.of(name)
    const keyOf = (key: Fields): string => Object.values(key).join()
    return {
      set: (key, value) => void map.set(keyOf(key), { '': BigInt(value) }),
      delete: (key) => map.delete(keyOf(key)),
    }
  }

  find({ name, type }: ProbeMap, key: Key): Record<string, bigint> | undefined {
    return type === 'lpmTrie' ? longest(this.of(name), bytesOf(key)) : this.of(name).get(key)
  }
}

type ProbeMap = MapEffect['map']

interface Prefix {
  readonly bits: number
  readonly bytes: Uint8Array
}

function bytesOf(key: Key): Prefix {
  const [bits = 0, ...words] = String(key).split(',').map(Number)
  return { bits, bytes: new Uint8Array(Uint32Array.from(words).buffer) }
}

function longest(
  map: ReadonlyMap<Key, Record<string, bigint>>,
  wanted: Prefix,
): Record<string, bigint> | undefined {
  let best: { bits: number; value: Record<string, bigint> } | undefined
  for (const [key, value] of map) {
    const { bits, bytes } = bytesOf(key)
    if (bits > (best?.bits ?? -1) && bits <= wanted.bits && isPrefix(bytes, bits, wanted.bytes))
      best = { bits, value }
  }
  return best?.value
}

/** Bits of a byte count from the highest on. */
function isPrefix(bytes: Uint8Array, bits: number, of: Uint8Array): boolean {
  for (let bit = 0; bit < bits; bit++) {
    const mask = 0x80 >> (bit & 7)
    if (((bytes[bit >> 3] as number) & mask) !== ((of[bit >> 3] as number) & mask)) return false
  }
  return true
}

/** A program on its run: what it reads of the kernel is a number for each name of a member. */
export class Run {
  readonly #maps: ModelMaps
  readonly #read: (name: string) => number

  constructor(maps: ModelMaps, read: (name: string) => number) {
    this.#maps = maps
    this.#read = read
  }

  /** Does what the probe does to maps; whether it writes its record. */
  run({ given, when, effects, recordWhen, finally: last }: Probe): boolean {
    if (!this.holds(given)) return false
    let isWritten = this.holds(when)
    if (isWritten) {
      for (const effect of effects) this.#act(effect)
      isWritten = this.holds(recordWhen)
    }
    for (const effect of last) this.#act(effect)
    return isWritten
  }

  holds(condition: Expression | undefined): boolean {
    return condition === undefined || this.#value(condition) !== 0n
  }

  #value(node: Expression): bigint {
    switch (node.kind) {
      case 'constant':
        return BigInt.asUintN(64, node.value)
      case 'path': {
        const last = node.steps.at(-1)
        return BigInt(this.#read(last?.kind === 'member' ? last.name : ''))
      }
      case 'ifThen':
        return this.#value(node.condition) === 0n ? 0n : this.#value(node.value)
      case 'oneOf': {
        const value = this.#value(node.value)
        return BigInt(node.numbers.includes(value))
      }
      case 'lookup': {
        const entry = this.#maps.find(node.map, this.#keyOf(node.key))
        if (node.gives === 'presence') return entry === undefined ? 0n : 1n
        return entry?.[node.gives.field] ?? 0n
      }
      case 'binary':
        return this.#binary(node.op, this.#value(node.left), this.#value(node.right))
      default:
        throw new Error(`No model of the expression ${node.kind}`)
    }
  }

  #keyOf(nodes: readonly Expression[]): Key {
    const numbers = nodes.map((node) => Number(this.#value(node)))
    return numbers.length === 1 ? (numbers[0] as number) : numbers.join()
  }

  #binary(op: string, left: bigint, right: bigint): bigint {
    switch (op) {
      case '==':
        return BigInt(left === right)
      case '!=':
        return BigInt(left !== right)
      case '&':
        return left & right
      case '|':
        return left | right
      case '>>':
        return left >> right
      default:
        throw new Error(`No model of the operator ${op}`)
    }
  }

  #act(effect: MapEffect): void {
    const map = this.#maps.of(effect.map.name)
    const key = this.#keyOf(effect.key)
    switch (effect.kind) {
      case 'remove':
        map.delete(key)
        return
      case 'increase': {
        const entry = map.get(key) ?? {}
        for (const { field, node } of effect.value)
          entry[field.name] = (entry[field.name] ?? 0n) + this.#value(node)
        map.set(key, entry)
        return
      }
      case 'store':
        map.set(
          key,
          Object.fromEntries(effect.value.map(({ field, node }) => [field.name, this.#value(node)])),
        )
        return
      default:
        throw new Error(`No model of the effect ${effect.kind}`)
    }
  }
}
