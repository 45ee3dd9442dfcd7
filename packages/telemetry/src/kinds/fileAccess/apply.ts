/** Events out of records about who opens sensitive files. */

import type { Made } from '../../event/forms.js'
import type { RecordGroup } from '../../event/raw.js'
import { s32At, TailReader, u32At, u64At } from '../../event/record-fields.js'
import { withoutSecrets } from '../../event/redaction.js'
import { givenPath } from '../../files/paths.js'
import { wholePathAt } from '../../memory/text.js'
import { deviceText } from '../../files/mounts.js'
import { actorOf } from '../../process/actor.js'
import { targetOf } from '../../process/target.js'
import type { Tables } from '../kind.js'
import type { ACCESS_MODES, FileAccessEvent } from './events.js'
import { deniedLayout, IS_BELOW_GLOB, IS_PLACED, openedLayout } from './records.js'
import type { AccessTable } from './table.js'

function tableIn(tables: Tables): AccessTable {
  return tables.table('fileAccess')
}

/** By `f_mode`; neither is a descriptor for its path alone. */
const BY_MODE = ['path', 'read', 'write', 'readWrite'] as const

export function applyOpened(group: RecordGroup, tables: Tables): Made<FileAccessEvent> | undefined {
  if (!group.next()) return undefined
  const { at } = openedLayout
  const path = new TailReader(group, openedLayout).take(at.path, wholePathAt)
  const mode = u32At(group, at.mode)
  if (path === undefined || !isAskedFor(path, mode, tables)) return undefined
  const event: Made<FileAccessEvent> = {
    kind: 'fileAccess',
    action: 'open',
    ...actorOf(group, at, tables),
    path,
    access: BY_MODE[mode & 3] as (typeof ACCESS_MODES)[number],
    errno: undefined,
    unverified: false,
    target: u32At(group, at.targetPid) === 0 ? undefined : targetOf(group, at, tables),
    device: deviceText(u32At(group, at.device)),
    inode: u64At(group, at.inode),
  }
  return withoutSecrets(event, SECRETS, tables.redaction)
}

function isAskedFor(path: string, mode: number, tables: Tables): boolean {
  const { places } = tableIn(tables)
  if ((mode & IS_PLACED) !== 0 || places.wants(path)) return true
  return (mode & IS_BELOW_GLOB) !== 0 && places.mayBeNamed(path)
}

const SECRETS = ['path'] as const

/** By `O_ACCMODE`. */
const BY_FLAGS = ['read', 'write', 'readWrite', 'readWrite'] as const

export function applyDenied(group: RecordGroup, tables: Tables): Made<FileAccessEvent> | undefined {
  if (!group.next()) return undefined
  const { at } = deniedLayout
  const tails = new TailReader(group, deniedLayout)
  const from = tails.take(at.base, (...base) => base)
  const name = tails.string(at.name)
  const path = name === undefined ? undefined : givenPath(...from, name)
  const table = tableIn(tables)
  if (path === undefined || !table.places.wants(path)) return undefined
  const actor = actorOf(group, at, tables)
  if (!table.noteDenied(actor.pid, u64At(group, at.startBootNs), path)) return undefined
  const event: Made<FileAccessEvent> = {
    kind: 'fileAccess',
    action: 'denied',
    ...actor,
    path,
    access: BY_FLAGS[u32At(group, at.access) & 3] as (typeof ACCESS_MODES)[number],
    errno: -s32At(group, at.result),
    unverified: true,
    target: undefined,
    device: undefined,
    inode: undefined,
  }
  return withoutSecrets(event, SECRETS, tables.redaction)
}
