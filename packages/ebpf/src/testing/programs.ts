import type { BpfMap } from '../map/map.js'
import { Program } from '../program/program.js'
import { BPF_PROG_TYPE_SOCKET_FILTER } from '../program/types.js'
import * as b from './instructions.js'

const MAP_LOOKUP_ELEM = 1
const SKB_LOAD_BYTES = 26
const RINGBUF_OUTPUT = 130
const RINGBUF_RESERVE = 131
const RINGBUF_DISCARD = 133
const LARGEST_RECORD_BYTES = 256
/** BPF_PROG_TEST_RUN takes the front of a packet for its Ethernet header. */
const ETHERNET_SIZE_BYTES = 14

/** Code that adds 1 to the u64 of entry 0 of an array. */
export function countingCode(map: BpfMap, returnValue: number): Uint8Array {
  return b.program(
    b.store64(10, -8, 0),
    b.mapAddress(1, map.fd.number),
    b.copy(2, 10),
    b.add(2, -8),
    b.callHelper(MAP_LOOKUP_ELEM),
    b.skipIfEqual(0, 0, 2),
    b.move(1, 1),
    b.atomicAdd64(0, 0, 1),
    b.move(0, returnValue),
    b.exit(),
  )
}

/** Writes records of a test's choice into a ring, through a program that is run by hand. */
export class RingWriter implements Disposable {
  readonly #output: Program
  readonly #discard: Program

  constructor(map: BpfMap, outputFlags = 0) {
    const fd = map.fd.number
    const type = BPF_PROG_TYPE_SOCKET_FILTER
    this.#output = Program.load({ name: 'ring_output', type, code: outputCode(fd, outputFlags) })
    this.#discard = Program.load({ name: 'ring_discard', type, code: discardCode(fd) })
  }

  /** Writes one record of 1 to 256 bytes; false when the ring is full. */
  write(record: Uint8Array): boolean {
    const packet = new Uint8Array(ETHERNET_SIZE_BYTES + record.byteLength)
    packet.set(record, ETHERNET_SIZE_BYTES)
    return this.#output.testRun({ packet }).returnValue === 0
  }

  /** Reserves 16 bytes and discards them; false when the ring is full. */
  discard(): boolean {
    return this.#discard.testRun({ packet: new Uint8Array(ETHERNET_SIZE_BYTES + 1) }).returnValue === 0
  }

  [Symbol.dispose](): void {
    this.#output.close()
    this.#discard.close()
  }
}

function outputCode(fd: number, flags: number): Uint8Array {
  const clearStack = Array.from({ length: LARGEST_RECORD_BYTES / 8 }, (_, i) =>
    b.store64(10, -8 * (i + 1), 0),
  )
  return b.program(
    ...clearStack,
    b.copy(6, 1),
    b.load32(7, 6, 0),
    b.move(0, 1),
    // Older verifiers learn from this that the length is at least 1, and nothing from a test for 0.
    b.skipIfLess(7, 1, 14),
    b.skipIfGreater(7, LARGEST_RECORD_BYTES, 13),
    b.copy(1, 6),
    b.move(2, 0),
    b.copy(3, 10),
    b.add(3, -LARGEST_RECORD_BYTES),
    b.copy(4, 7),
    b.callHelper(SKB_LOAD_BYTES),
    b.mapAddress(1, fd),
    b.copy(2, 10),
    b.add(2, -LARGEST_RECORD_BYTES),
    b.copy(3, 7),
    b.move(4, flags),
    b.callHelper(RINGBUF_OUTPUT),
    b.exit(),
  )
}

function discardCode(fd: number): Uint8Array {
  return b.program(
    b.mapAddress(1, fd),
    b.move(2, 16),
    b.move(3, 0),
    b.callHelper(RINGBUF_RESERVE),
    b.copy(1, 0),
    b.move(0, 1),
    b.skipIfEqual(1, 0, 3),
    b.move(2, 0),
    b.callHelper(RINGBUF_DISCARD),
    b.move(0, 0),
    b.exit(),
  )
}
