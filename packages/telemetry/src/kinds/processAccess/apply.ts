/** Events out of records about access to other processes. */

import type { Made } from '../../event/forms.js'
import type { RecordGroup } from '../../event/raw.js'
import { s32At, s64At, u32At } from '../../event/record-fields.js'
import { actorOf } from '../../process/actor.js'
import { FMODE_WRITE } from '../../process/kernel-files.js'
import { targetOf } from '../../process/target.js'
import type { Tables } from '../kind.js'
import { type ProcessAccessEvent, WAYS } from './events.js'
import { accessLayout, BY_GETFD, BY_MEM, BY_READV, BY_WRITEV } from './records.js'

const { at } = accessLayout

/** A process got at another one. */
export function applyAccess(group: RecordGroup, tables: Tables): Made<ProcessAccessEvent> | undefined {
  if (!group.next()) return undefined
  const by = u32At(group, at.by)
  const way = WAYS[by]
  if (way === undefined) return undefined
  const detail = u32At(group, at.detail)
  const result = s64At(group, at.result)
  const targetId = s32At(group, at.targetId)
  const isTransfer = by === BY_READV || by === BY_WRITEV
  return {
    kind: 'processAccess',
    ...actorOf(group, at, tables),
    way,
    // A process of another namespace has no number in that of the caller.
    targetId: targetId === 0 && !isTransfer ? undefined : targetId,
    targetIsLocal: u32At(group, at.callerLevel) !== 0,
    bytes: isTransfer && result >= 0 && Number.isSafeInteger(result) ? result : undefined,
    targetFd: by === BY_GETFD ? detail : undefined,
    writing:
      by === BY_GETFD ? undefined : by === BY_WRITEV || (by === BY_MEM && (detail & FMODE_WRITE) !== 0),
    errno: result < 0 && result >= -4095 ? -result : undefined,
    target: targetOf(group, at, tables),
  }
}
