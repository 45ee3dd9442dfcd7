/** The maps of a session, by the names that programs call them: its own, those that probes declare, and constants. */

import { BuildError } from './errors.js'
import { BPF_F_RDONLY_PROG, BpfMap } from './map.js'
import type { ProbeMap } from './probe/index.js'

export class SessionMaps {
  readonly #maps: Map<string, BpfMap>
  readonly #declared = new Map<string, ProbeMap>()

  /** Takes over the maps that every program uses. */
  constructor(own: readonly BpfMap[]) {
    this.#maps = new Map(own.map((map) => [map.spec.name, map]))
  }

  /** Creates the map of a declaration, unless that was done before. */
  declare(map: ProbeMap): void {
    const known = this.#declared.get(map.name)
    if (known === map) return
    if (known !== undefined || this.#maps.has(map.name)) {
      throw new BuildError(`Cannot create map "${map.name}": the session has another one of that name`)
    }
    this.#maps.set(map.name, BpfMap.create(map))
    this.#declared.set(map.name, map)
  }

  /** @throws {RangeError} when nothing declared it */
  declared(map: ProbeMap): BpfMap {
    const created = this.#declared.get(map.name) === map ? this.#maps.get(map.name) : undefined
    if (created === undefined) throw new RangeError(`No attached probe uses the map "${map.name}"`)
    return created
  }

  /**
   * Lets `load` load a program that has constants of its own besides the session's maps. The program keeps them, and
   * their descriptors are closed.
   */
  withConstants<T>(
    constants: ReadonlyMap<string, Uint8Array>,
    load: (fdOf: (name: string) => number) => T,
  ): T {
    const own = new Map<string, BpfMap>()
    try {
      for (const [name, bytes] of constants) own.set(name, createConstants(name, bytes))
      return load((name) => {
        const map = own.get(name) ?? this.#maps.get(name)
        if (map === undefined) throw new BuildError(`Cannot load a program: the session has no map "${name}"`)
        return map.fd.number
      })
    } finally {
      for (const map of own.values()) map.close()
    }
  }

  close(): void {
    for (const map of this.#maps.values()) map.close()
  }
}

/** A map whose bytes the verifier takes for constants. */
function createConstants(name: string, bytes: Uint8Array): BpfMap {
  const map = BpfMap.create({
    name,
    type: 'array',
    valueSizeBytes: bytes.byteLength,
    maxEntries: 1,
    flags: BPF_F_RDONLY_PROG,
  })
  try {
    map.set(0, bytes)
    map.freeze()
    return map
  } catch (error) {
    map.close()
    throw error
  }
}
