/** The columns that have joined a record. Emptying it costs nothing, however many columns there are. */
export class JoinedColumns {
  readonly #stamps: Uint32Array
  #stamp = 0

  constructor(columns: number) {
    this.#stamps = new Uint32Array(columns)
  }

  clear(): void {
    this.#stamp = (this.#stamp + 1) >>> 0
    if (this.#stamp !== 0) return
    this.#stamps.fill(0)
    this.#stamp = 1
  }

  add(column: number): void {
    this.#stamps[column] = this.#stamp
  }

  has(column: number): boolean {
    return this.#stamps[column] === this.#stamp
  }

  hasAny(columns: readonly number[]): boolean {
    for (let i = 0; i < columns.length; i++) if (this.has(columns[i] as number)) return true
    return false
  }
}
