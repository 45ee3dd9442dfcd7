/** Events out of records about shared memory. */

import type { Made } from '../../event/forms.js'
import type { RecordGroup } from '../../event/raw.js'
import { s32At, s64At, TailReader, u32At, u64At } from '../../event/record-fields.js'
import { actorOf } from '../../process/actor.js'
import { FMODE_CREATED, FMODE_WRITE } from '../../process/kernel-files.js'
import type { Tables } from '../kind.js'
import type { SharedMemoryEvent } from './events.js'
import { flagNames } from './flags.js'
import {
  CREATED_UNKNOWN,
  CREATED_YES,
  memfdLayout,
  shmatLayout,
  shmgetLayout,
  shmOpenLayout,
} from './records.js'

const { at: shmgetAt } = shmgetLayout
const { at: shmatAt } = shmatLayout
const { at: memfdAt } = memfdLayout
const { at: openAt } = shmOpenLayout
const PERMISSIONS = 0o777
const SHM_RDONLY = 0o10000
const MEMFD = 'memfd:'
const DIRECTORY = '/dev/shm/'

const UNKNOWN = {
  kind: 'sharedMemory',
  key: undefined,
  id: undefined,
  sizeBytes: undefined,
  flags: undefined,
  mode: undefined,
  created: undefined,
  writable: undefined,
  name: undefined,
  path: undefined,
  address: undefined,
  errno: undefined,
} as const

function errnoOf(result: number): number | undefined {
  return result < 0 && result >= -4095 ? -result : undefined
}

export function applyShmget(group: RecordGroup, tables: Tables): Made<SharedMemoryEvent> | undefined {
  if (!group.next()) return undefined
  const flags = u32At(group, shmgetAt.flags)
  const result = s64At(group, shmgetAt.result)
  const errno = errnoOf(result)
  const sizeBytes = s64At(group, shmgetAt.sizeBytes)
  const created = u32At(group, shmgetAt.created)
  return {
    ...UNKNOWN,
    ...actorOf(group, shmgetAt, tables),
    action: 'shmget',
    key: s32At(group, shmgetAt.key),
    id: errno === undefined ? result | 0 : undefined,
    sizeBytes: sizeBytes >= 0 && Number.isSafeInteger(sizeBytes) ? sizeBytes : undefined,
    flags: flagNames('shmget', flags),
    mode: flags & PERMISSIONS,
    created: errno !== undefined || created === CREATED_UNKNOWN ? undefined : created === CREATED_YES,
    errno,
  }
}

export function applyShmat(group: RecordGroup, tables: Tables): Made<SharedMemoryEvent> | undefined {
  if (!group.next()) return undefined
  const flags = u32At(group, shmatAt.flags)
  const errno = errnoOf(s64At(group, shmatAt.result))
  return {
    ...UNKNOWN,
    ...actorOf(group, shmatAt, tables),
    action: 'shmat',
    id: s32At(group, shmatAt.id),
    flags: flagNames('shmat', flags),
    writable: (flags & SHM_RDONLY) === 0,
    address: errno === undefined ? u64At(group, shmatAt.result) : undefined,
    errno,
  }
}

export function applyMemfd(group: RecordGroup, tables: Tables): Made<SharedMemoryEvent> | undefined {
  if (!group.next()) return undefined
  const name = new TailReader(group, memfdLayout).path(memfdAt.name)
  return {
    ...UNKNOWN,
    ...actorOf(group, memfdAt, tables),
    action: 'memfd',
    flags: flagNames('memfd', u32At(group, memfdAt.flags)),
    created: true,
    name: name?.startsWith(MEMFD) === true ? name.slice(MEMFD.length) : name,
  }
}

export function applyShmOpen(group: RecordGroup, tables: Tables): Made<SharedMemoryEvent> | undefined {
  if (!group.next()) return undefined
  const path = new TailReader(group, shmOpenLayout).path(openAt.file)
  if (path?.startsWith(DIRECTORY) !== true) return undefined
  const mode = u32At(group, openAt.mode)
  return {
    ...UNKNOWN,
    ...actorOf(group, openAt, tables),
    action: 'open',
    path,
    created: (mode & FMODE_CREATED) !== 0,
    writable: (mode & FMODE_WRITE) !== 0,
  }
}
