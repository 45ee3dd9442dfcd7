import * as fc from 'fast-check'
import type { BaseEvent } from '../../../event/event.js'
import type { Made } from '../../../event/forms.js'
import { hostileText, maybe, u32, u64 } from '../../../testing/hostile-text.js'
import type { Samples } from '../../../testing/samples.js'
import { ACCESS_ACTIONS, ACCESS_MODES, type FileAccessEvent } from '../events.js'

/** 2026-01-02T03:04:05.000000006Z. */
const TIME_NS = 1_767_323_045_000_000_006n

const OPENED: Made<FileAccessEvent> = {
  kind: 'fileAccess',
  action: 'open',
  timeNs: TIME_NS,
  path: '/proc/812/mem',
  access: 'readWrite',
  errno: undefined,
  unverified: false,
  target: { pid: 812, entityId: '0123456789abcdef', comm: 'sshd', exe: '/usr/sbin/sshd', uid: 0 },
  device: '0:22',
  inode: 131_074n,
  pid: 4242,
  process: undefined,
}

const DENIED: Made<FileAccessEvent> = {
  ...OPENED,
  action: 'denied',
  path: '/etc/shadow',
  access: 'read',
  errno: 13,
  unverified: true,
  target: undefined,
  device: undefined,
  inode: undefined,
}

const anyFileAccessEvent: fc.Arbitrary<BaseEvent> = fc.record({
  kind: fc.constant('fileAccess' as const),
  action: fc.constantFrom(...ACCESS_ACTIONS),
  timeNs: u64,
  path: hostileText,
  access: fc.constantFrom(...ACCESS_MODES),
  errno: maybe(fc.nat({ max: 4095 })),
  unverified: fc.boolean(),
  target: maybe(
    fc.record({
      pid: u32,
      entityId: maybe(hostileText),
      comm: maybe(hostileText),
      exe: maybe(hostileText),
      uid: maybe(u32),
    }),
  ),
  device: maybe(fc.constantFrom('8:1')),
  inode: maybe(u64),
  pid: u32,
  process: fc.constant(undefined),
})

export const samples: Samples = { golden: [OPENED, DENIED], any: anyFileAccessEvent }
