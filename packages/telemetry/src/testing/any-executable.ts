import * as fc from 'fast-check'
import type { Executable } from '../process/executable.js'
import { hostileText, maybe, u32, u64 } from './hostile-text.js'

const anyPackage = fc.record({
  type: fc.constantFrom('deb' as const, 'npm' as const),
  name: hostileText,
  version: maybe(hostileText),
  architecture: maybe(hostileText),
})

/** The file of a program with whatever texts. */
export const anyExecutable: fc.Arbitrary<Executable> = fc.record({
  device: u32,
  inode: u64,
  generation: u32,
  sizeBytes: u32,
  modifiedNs: u64,
  memfd: fc.boolean(),
  deleted: fc.boolean(),
  replaced: fc.boolean(),
  script: maybe(hostileText),
  sha256: maybe(fc.constant('0'.repeat(64))),
  unread: maybe(fc.constantFrom('gone' as const, 'tooLarge' as const)),
  package: maybe(anyPackage),
  scriptPackage: maybe(anyPackage),
})
