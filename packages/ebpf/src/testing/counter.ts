import { BpfMap } from '../map/map.js'
import { Program, type ProgramSpec } from '../program/program.js'
import { countingCode } from './programs.js'

/** A program that counts how often it runs. */
export class Counter implements Disposable {
  readonly program: Program
  readonly #map: BpfMap

  constructor(spec: Omit<ProgramSpec, 'name' | 'code'>, returnValue = 0) {
    this.#map = BpfMap.create({ name: 'count', type: 'array', valueSizeBytes: 8, maxEntries: 1 })
    try {
      this.program = Program.load({ ...spec, name: 'count', code: countingCode(this.#map, returnValue) })
    } catch (error) {
      this.#map.close()
      throw error
    }
  }

  get count(): number {
    const value = this.#map.get(0) ?? new Uint8Array(8)
    return Number(new DataView(value.buffer).getBigUint64(0, true))
  }

  [Symbol.dispose](): void {
    this.program.close()
    this.#map.close()
  }
}
