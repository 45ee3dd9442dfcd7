// All that pure rooms may use of Node: bytes with methods that read, write and compare them, and a clock that only goes
// forward. Pure rooms make no system calls and run wherever something has these.

interface Buffer extends Uint8Array<ArrayBufferLike> {
  readUInt8(offset: number): number
  readUInt16LE(offset: number): number
  readUInt32LE(offset: number): number
  readInt32LE(offset: number): number
  readUIntLE(offset: number, sizeBytes: number): number
  readBigUInt64LE(offset: number): bigint
  readBigInt64LE(offset: number): bigint
  writeUInt8(value: number, offset: number): number
  writeUInt16LE(value: number, offset: number): number
  writeUInt32LE(value: number, offset: number): number
  writeInt32LE(value: number, offset: number): number
  writeBigUInt64LE(value: bigint, offset: number): number
  writeBigInt64LE(value: bigint, offset: number): number
  copy(target: Uint8Array, targetStart?: number, start?: number, end?: number): number
  indexOf(value: number | Uint8Array, start?: number): number
  equals(other: Uint8Array): boolean
  toString(encoding?: 'latin1' | 'utf8' | 'hex', start?: number, end?: number): string
  subarray(start?: number, end?: number): Buffer
}
declare const Buffer: {
  readonly prototype: Buffer
  alloc(sizeBytes: number): Buffer
  concat(parts: readonly Uint8Array[]): Buffer
  from(text: string, encoding?: 'latin1' | 'utf8' | 'hex'): Buffer
  from(bytes: ArrayLike<number>): Buffer
  from(memory: ArrayBufferLike, offsetBytes?: number, lengthBytes?: number): Buffer
}
declare const process: { hrtime(): [seconds: number, ns: number] }
