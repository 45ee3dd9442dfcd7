/** The maps of a session, by the names that programs call them: its own, and those that probes declare. */

import { BuildError } from '../errors.js'
import { BPF_F_NO_PREALLOC, BpfMap } from '../map/map.js'
import type { ProbeMap } from '../probe/index.js'

export class SessionMaps {
  readonly #maps: Map<string, BpfMap>
  readonly #declared = new Map<string, ProbeMap>()

  /** Takes over the maps that every program uses. */
  constructor(own: readonly BpfMap[]) {
    this.#maps = new Map(own.map((map) => [map.spec.name, map]))
  }

  /** Takes over another map, which programs know by its name. */
  add(map: BpfMap): BpfMap {
    this.#maps.set(map.spec.name, map)
    return map
  }

  /** Creates the map of a declaration, unless that was done before. */
  declare(map: ProbeMap): void {
    const known = this.#declared.get(map.name)
    if (known === map) return
    if (known !== undefined || this.#maps.has(map.name)) {
      throw new BuildError(`Cannot create map "${map.name}": the session has another one of that name`)
    }
    const { name, type, key, value, maxEntries } = map
    const sizes = { keySizeBytes: key.sizeBytes, valueSizeBytes: value.sizeBytes }
    // The kernel makes no trie without it.
    const flags = type === 'lpmTrie' ? { flags: BPF_F_NO_PREALLOC } : {}
    this.#maps.set(name, BpfMap.create({ name, type, maxEntries, ...sizes, ...flags }))
    this.#declared.set(map.name, map)
  }

  /** @throws {RangeError} when nothing declared it */
  declared(map: ProbeMap): BpfMap {
    const created = this.#declared.get(map.name) === map ? this.#maps.get(map.name) : undefined
    if (created === undefined) throw new RangeError(`No attached probe uses the map "${map.name}"`)
    return created
  }

  /** @throws {BuildError} when the session has no such map */
  fdOf(name: string): number {
    const map = this.#maps.get(name)
    if (map === undefined) throw new BuildError(`Cannot load a program: the session has no map "${name}"`)
    return map.fd.number
  }

  close(): void {
    for (const map of this.#maps.values()) map.close()
  }
}
