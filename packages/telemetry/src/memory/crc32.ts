/** CRC-32 as in zlib, in plain JavaScript: eight bytes at a time by eight tables. */

const POLYNOMIAL = 0xedb88320
const TABLES = 8

const tables = Array.from({ length: TABLES }, () => new Uint32Array(256))

for (let value = 0; value < 256; value++) {
  let crc = value
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0)
  ;(tables[0] as Uint32Array)[value] = crc
}
for (let i = 1; i < TABLES; i++) {
  for (let value = 0; value < 256; value++) {
    const crc = (tables[i - 1] as Uint32Array)[value] as number
    ;(tables[i] as Uint32Array)[value] = (crc >>> 8) ^ ((tables[0] as Uint32Array)[crc & 0xff] as number)
  }
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
]

/** The checksum of some bytes, as a u32; `before` is that of the bytes before them. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before
  let at = 0
  for (; at + 8 <= bytes.length; at += 8) {
    crc =
      (t7[(crc ^ (bytes[at] as number)) & 0xff] as number) ^
      (t6[((crc >>> 8) ^ (bytes[at + 1] as number)) & 0xff] as number) ^
      (t5[((crc >>> 16) ^ (bytes[at + 2] as number)) & 0xff] as number) ^
      (t4[((crc >>> 24) ^ (bytes[at + 3] as number)) & 0xff] as number) ^
      (t3[bytes[at + 4] as number] as number) ^
      (t2[bytes[at + 5] as number] as number) ^
      (t1[bytes[at + 6] as number] as number) ^
      (t0[bytes[at + 7] as number] as number)
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ (t0[(crc ^ (bytes[at] as number)) & 0xff] as number)
  return ~crc >>> 0
}
