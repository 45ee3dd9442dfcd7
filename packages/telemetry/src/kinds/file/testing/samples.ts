import * as fc from 'fast-check'
import type { BaseEvent } from '../../../event/event.js'
import type { Made } from '../../../event/forms.js'
import { hostileText, maybe, u32, u64 } from '../../../testing/hostile-text.js'
import type { Samples } from '../../../testing/samples.js'
import { FILE_ACTIONS, FILE_TYPES, type FileEvent } from '../events.js'

/** 2026-01-02T03:04:05.000000006Z. */
const TIME_NS = 1_767_323_045_000_000_006n

/** Created, written and closed. */
const WRITTEN: Made<FileEvent> = {
  kind: 'file',
  actions: ['create', 'modify', 'close'],
  timeNs: TIME_NS,
  path: '/home/ann/notes.txt',
  oldPath: undefined,
  target: undefined,
  deleted: false,
  unverified: false,
  inexact: false,
  type: 'file',
  device: '8:1',
  inode: 131_074n,
  generation: 7,
  mode: 0o100644,
  uid: 1000,
  gid: 1000,
  links: 1,
  size: 517,
  atimeNs: TIME_NS - 1_000_000_000n,
  mtimeNs: TIME_NS,
  ctimeNs: TIME_NS + 1n,
  writtenBytes: 517,
  pid: 4242,
  process: undefined,
}

const MOVED: Made<FileEvent> = {
  ...WRITTEN,
  actions: ['move'],
  path: '/home/ann/old/notes.txt',
  oldPath: '/home/ann/notes.txt',
  writtenBytes: undefined,
}

/** Only its name is known. */
const UNVERIFIED: Made<FileEvent> = {
  ...MOVED,
  actions: ['remove'],
  path: '/mnt/merged/a',
  oldPath: undefined,
  unverified: true,
  type: undefined,
  device: undefined,
  inode: undefined,
  generation: undefined,
  mode: undefined,
  uid: undefined,
  gid: undefined,
  links: undefined,
  size: undefined,
  atimeNs: undefined,
  mtimeNs: undefined,
  ctimeNs: undefined,
}

const SYMLINK: Made<FileEvent> = {
  ...WRITTEN,
  actions: ['symlink'],
  path: '/etc/alternatives/editor',
  target: '/usr/bin/nano',
  type: 'symlink',
  mode: 0o120777,
  uid: 0,
  gid: 0,
  writtenBytes: undefined,
}

/** By fanotify alone, of a file that has no name any more. */
const REPORTED: Made<FileEvent> = {
  ...WRITTEN,
  actions: ['modify', 'attributes'],
  deleted: true,
  inexact: true,
  path: undefined,
  generation: undefined,
  writtenBytes: undefined,
}

const CLOSED: Made<FileEvent> = { ...WRITTEN, actions: ['close'] }

const anyFileEvent: fc.Arbitrary<BaseEvent> = fc.record({
  kind: fc.constant('file' as const),
  actions: fc.subarray([...FILE_ACTIONS], { minLength: 1 }),
  timeNs: u64,
  path: maybe(hostileText),
  oldPath: maybe(hostileText),
  target: maybe(hostileText),
  deleted: fc.boolean(),
  unverified: fc.boolean(),
  inexact: fc.boolean(),
  type: maybe(fc.constantFrom(...FILE_TYPES)),
  device: maybe(fc.constantFrom('8:1', '4095:1048575')),
  inode: maybe(u64),
  generation: maybe(u32),
  mode: maybe(fc.nat({ max: 0o177777 })),
  uid: maybe(u32),
  gid: maybe(u32),
  links: maybe(u32),
  size: maybe(fc.maxSafeNat()),
  atimeNs: maybe(u64),
  mtimeNs: maybe(u64),
  ctimeNs: maybe(u64),
  writtenBytes: maybe(fc.maxSafeNat()),
  pid: u32,
  process: fc.constant(undefined),
})

export const samples: Samples = {
  golden: [WRITTEN, MOVED, UNVERIFIED, SYMLINK, REPORTED, CLOSED],
  any: anyFileEvent,
}
