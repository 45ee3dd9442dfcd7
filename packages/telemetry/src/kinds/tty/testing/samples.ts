import * as fc from 'fast-check'
import type { Made } from '../../../event/forms.js'
import { hostileText, maybe, u32, u64 } from '../../../testing/hostile-text.js'
import type { Samples } from '../../../testing/samples.js'
import { ORIGINS, type TtyEvent } from '../events.js'

/** 2026-01-02T03:04:05.000000006Z. */
const TIME_NS = 1_767_323_045_000_000_006n

/** Two lines of a shell. */
const OUTPUT: Made<TtyEvent> = {
  kind: 'tty',
  timeNs: TIME_NS,
  origin: 'output',
  pid: 4242,
  terminal: 'pts/3',
  ttyMajor: 136,
  ttyMinor: 3,
  devpts: 24,
  driver: 'pty_slave',
  columns: 80,
  rows: 24,
  text: '\u001b[1mhello\u001b[0m\nwörld\n',
  data: undefined,
  writtenBytes: 21,
  missingBytes: 0,
  writes: 2,
  spanNs: 1_250_000n,
  inputFlags: 0o2400,
  outputFlags: 5,
  controlFlags: 0o277,
  localFlags: 0o105073,
  process: undefined,
}

/** It is no UTF-8, and more of it is missing. */
const BINARY: Made<TtyEvent> = {
  ...OUTPUT,
  terminal: undefined,
  ttyMajor: 229,
  ttyMinor: 300,
  devpts: undefined,
  driver: undefined,
  columns: undefined,
  rows: undefined,
  text: 'a\ufffd',
  data: new Uint8Array([0x61, 0xff]),
  writtenBytes: 5_000_000_000,
  missingBytes: 4_999_999_998,
  writes: 1,
  spanNs: 0n,
}

const TYPED: Made<TtyEvent> = {
  ...OUTPUT,
  origin: 'typed',
  text: 'ls\r',
  writtenBytes: 3,
  writes: 3,
}

const UNREADABLE: Made<TtyEvent> = { ...OUTPUT, text: undefined, missingBytes: 21, writes: 1, spanNs: 0n }

const anyTty: fc.Arbitrary<Made<TtyEvent>> = fc.record({
  kind: fc.constant('tty' as const),
  timeNs: u64,
  origin: fc.constantFrom(...ORIGINS),
  pid: u32,
  terminal: maybe(hostileText),
  ttyMajor: u32,
  ttyMinor: u32,
  devpts: maybe(u32),
  driver: maybe(hostileText),
  columns: maybe(fc.nat({ max: 65_535 })),
  rows: maybe(fc.nat({ max: 65_535 })),
  text: maybe(hostileText),
  data: maybe(fc.uint8Array({ maxLength: 64 })),
  writtenBytes: fc.maxSafeNat(),
  missingBytes: fc.nat({ max: 0xffff }),
  writes: u32,
  spanNs: u64,
  inputFlags: u32,
  outputFlags: u32,
  controlFlags: u32,
  localFlags: u32,
  process: fc.constant(undefined),
})

export const samples: Samples = { golden: [OUTPUT, BINARY, TYPED, UNREADABLE], any: anyTty }
