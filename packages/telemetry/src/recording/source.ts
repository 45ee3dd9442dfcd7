/** Bytes of a recording, wherever they are. */
export interface ByteSource {
  /** Its name in errors: a path. */
  readonly name: string
  /**
   * The bytes from `offset` on, in memory that is the caller's: `length` of them, or as many as there are; undefined
   * when there are none.
   */
  read(offset: number, length: number): Uint8Array | undefined
  /** As `read`, but the bytes stay; undefined when fewer have come. Only a source whose bytes come bit by bit has it. */
  peek?(offset: number, length: number): Uint8Array | undefined
  /** Whether all bytes have come that ever will. */
  readonly isWhole?: boolean
  /** Waits until more bytes have come, or none ever will. */
  more?(): Promise<void>
  close(): void
}

/** A recording in memory. */
export class MemorySource implements ByteSource {
  readonly name: string
  readonly #bytes: Uint8Array

  /** `bytes` must not change while it is read. */
  constructor(bytes: Uint8Array, name = 'memory') {
    this.name = name
    this.#bytes = bytes
  }

  read(offset: number, length: number): Uint8Array | undefined {
    return offset >= this.#bytes.length ? undefined : this.#bytes.slice(offset, offset + length)
  }

  close(): void {
    // There is nothing to give back.
  }
}
