/** Runs what probes declare, in place of the kernel: the expressions that programs are made of, over maps of this process. */

import type { MapEffect, Probe } from 'quark-ebpf/probe'

type Expression = NonNullable<Probe['recordWhen']>

/** Maps by name, of which keys are one number. */
export class ModelMaps {
  readonly #maps = new Map<string, Map<number, Record<string, bigint>>>()

  of(name: string): Map<number, Record<string, bigint>> {
    let map = this.#maps.get(name)
    if (map === undefined) this.#maps.set(name, (map = new Map()))
    return map
  }
}

/** A program on its run: what it reads of the kernel is one number, such as the pid of a task. */
export class Run {
  readonly #maps: ModelMaps
  readonly #read: bigint

  constructor(maps: ModelMaps, read: number) {
    this.#maps = maps
    this.#read = BigInt(read)
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
      case 'path':
        return this.#read
      case 'lookup': {
        const entry = this.#maps.of(node.map.name).get(Number(this.#value(node.key[0] as Expression)))
        if (node.gives === 'presence') return entry === undefined ? 0n : 1n
        return entry?.[node.gives.field] ?? 0n
      }
      case 'binary':
        return this.#binary(node.op, this.#value(node.left), this.#value(node.right))
      default:
        throw new Error(`No model of the expression ${node.kind}`)
    }
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
      default:
        throw new Error(`No model of the operator ${op}`)
    }
  }

  #act(effect: MapEffect): void {
    const map = this.#maps.of(effect.map.name)
    const key = Number(this.#value(effect.key[0] as Expression))
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
