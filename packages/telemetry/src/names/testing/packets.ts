/** Packets, written without what reads them. */

/** Numbers of two bytes. */
export function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2)
  for (const [at, value] of values.entries()) bytes.writeUInt16BE(value & 0xffff, at * 2)
  return bytes
}

export interface WirePacket {
  readonly from?: readonly [ip: readonly number[], port: number]
  readonly to?: readonly [ip: readonly number[], port: number]
  readonly payload: Buffer
  /** Of a segment of TCP; a datagram of UDP without. */
  readonly sequence?: number
  readonly flags?: number
  /** Behind the header of IPv4, or headers between that of IPv6 and the transport; the first byte is what follows. */
  readonly options?: Buffer
  /** Field of IPv4 about fragments. */
  readonly fragment?: number
  readonly firstHeader?: number
}

const CLIENT: readonly [readonly number[], number] = [[192, 0, 2, 7], 50_250]
const SERVER: readonly [readonly number[], number] = [[192, 0, 2, 53], 53]

/** A packet of IPv4, or of IPv6 if the addresses have 16 bytes. */
export function wirePacket(wire: WirePacket): Buffer {
  const { from = CLIENT, to = SERVER, payload, sequence, flags = 0x18, options = Buffer.alloc(0) } = wire
  const protocol = sequence === undefined ? 17 : 6
  const transport =
    sequence === undefined
      ? words(from[1], to[1], payload.length + 8, 0)
      : words(from[1], to[1], sequence >>> 16, sequence, 0, 0, 0x5000 | flags, 1024, 0, 0)
  const addresses = Buffer.from([...from[0], ...to[0]])
  const length = options.length + transport.length + payload.length
  const network =
    from[0].length === 4
      ? Buffer.concat([
          Buffer.from([0x45 + options.length / 4, 0]),
          words(20 + length, 0, wire.fragment ?? 0x4000),
          Buffer.from([64, protocol, 0, 0]),
        ])
      : Buffer.concat([words(0x6000, 0, length), Buffer.from([wire.firstHeader ?? protocol, 64])])
  return Buffer.concat([network, addresses, options, transport, payload])
}
