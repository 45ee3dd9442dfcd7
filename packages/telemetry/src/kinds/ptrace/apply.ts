/** Events out of records of ptrace(2). */

import type { Made } from '../../event/forms.js'
import type { RecordGroup } from '../../event/raw.js'
import { s32At, s64At, u32At, u64At } from '../../event/record-fields.js'
import { actorOf } from '../../process/actor.js'
import { targetOf } from '../../process/target.js'
import type { Tables } from '../kind.js'
import type { PtraceAction, PtraceEvent } from './events.js'
import { ATTACHED_SOMEHOW, DETACHED_SOMEHOW, NO_RESULT, ptraceLayout } from './records.js'
import { PTRACE_ATTACH, PTRACE_DETACH, PTRACE_SEIZE, PTRACE_TRACEME, requestName } from './requests.js'

const { at } = ptraceLayout
const ATTACHING = new Set([PTRACE_TRACEME, PTRACE_ATTACH, PTRACE_SEIZE, Number(ATTACHED_SOMEHOW)])
const DETACHING = new Set([PTRACE_DETACH, Number(DETACHED_SOMEHOW)])
/** Results from here on are errors. */
const FIRST_ERROR = -4095

function actionOf(request: number, hasFailed: boolean): PtraceAction {
  if (hasFailed) return 'fail'
  if (ATTACHING.has(request)) return 'attach'
  return DETACHING.has(request) ? 'detach' : 'request'
}

/** A call of ptrace(2) returned. */
export function applyPtrace(group: RecordGroup, tables: Tables): Made<PtraceEvent> | undefined {
  if (!group.next()) return undefined
  const request = s64At(group, at.request)
  const result = s64At(group, at.result)
  const isKnown = result !== Number(NO_RESULT)
  const hasFailed = isKnown && result < 0 && result >= FIRST_ERROR
  const actor = actorOf(group, at, tables)
  const isTraceMe = request === PTRACE_TRACEME
  return {
    kind: 'ptrace',
    ...actor,
    pid: actor.pid === 0 ? undefined : actor.pid,
    action: actionOf(request, hasFailed),
    request: requestName(request),
    requestNumber: request >= 0 && Number.isSafeInteger(request) ? request : undefined,
    result: isKnown && result >= 0 && Number.isSafeInteger(result) ? result : undefined,
    errno: hasFailed ? -result : undefined,
    targetId: isTraceMe ? undefined : s32At(group, at.targetId),
    targetIsLocal: !isTraceMe && u32At(group, at.callerLevel) !== 0,
    address: isKnown ? u64At(group, at.address) : undefined,
    data: isKnown ? u64At(group, at.data) : undefined,
    target: isTraceMe ? undefined : targetOf(group, at, tables),
  }
}
