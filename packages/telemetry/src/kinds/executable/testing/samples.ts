import * as fc from 'fast-check'
import type { Made } from '../../../event/forms.js'
import { anyExecutable } from '../../../testing/any-executable.js'
import { u32, u64 } from '../../../testing/hostile-text.js'
import type { Samples } from '../../../testing/samples.js'
import type { ExecutableEvent } from '../events.js'

/** 2026-01-02T03:04:05.000000006Z. */
const TIME_NS = 1_767_323_045_000_000_006n

const KNOWN: Made<ExecutableEvent> = {
  kind: 'executable',
  timeNs: TIME_NS,
  pid: 4242,
  executable: {
    device: 8_388_609,
    inode: 131_097n,
    generation: 3,
    sizeBytes: 151_344,
    modifiedNs: TIME_NS - 1_000_000_000n,
    memfd: false,
    deleted: true,
    replaced: true,
    script: '/usr/lib/node_modules/.bin/tool',
    sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    unread: undefined,
    package: { type: 'deb', name: 'coreutils', version: '9.1-1', architecture: 'amd64' },
    scriptPackage: { type: 'npm', name: 'tool', version: '1.2.3', architecture: undefined },
  },
  process: undefined,
}

const UNREAD: Made<ExecutableEvent> = {
  ...KNOWN,
  executable: {
    ...KNOWN.executable,
    memfd: true,
    deleted: false,
    replaced: false,
    script: undefined,
    sha256: undefined,
    unread: 'gone',
    package: undefined,
    scriptPackage: undefined,
  },
}

const any: fc.Arbitrary<Made<ExecutableEvent>> = fc.record({
  kind: fc.constant('executable' as const),
  timeNs: u64,
  pid: u32,
  executable: anyExecutable,
  process: fc.constant(undefined),
})

/** Samples of the events of executed files. */
export const samples: Samples = { golden: [KNOWN, UNREAD], any }
