/** The declaration of the event of a call of ptrace(2). */

import type { EventSpec } from '../../event/spec.js'
import { processObject } from '../../process/spec.js'
import { targetObject } from '../../process/target.js'
import { activityColumns } from '../../process/text.js'
import type { PtraceAction, PtraceEvent } from './events.js'
import { isChange, REQUESTS } from './requests.js'
import { type PtraceSummary, ptraceSummary } from './summary.js'

const hexOf = (value: number | bigint | undefined): string | undefined =>
  value === undefined ? undefined : `0x${value.toString(16)}`

const requestText = ({ request, requestNumber, action }: PtraceEvent): string =>
  request ?? (requestNumber === undefined ? action : `request ${hexOf(requestNumber)}`)

function activityText(event: PtraceEvent): string {
  const { target, targetId } = event
  if (target?.comm !== undefined) return `${requestText(event)} ${target.comm}[${target.pid}]`
  return targetId === undefined ? requestText(event) : `${requestText(event)} ${target?.pid ?? targetId}`
}

const ptraceSpec: EventSpec<PtraceEvent, PtraceSummary> = {
  kind: 'ptrace',
  doc: 'A process called ptrace(2)',
  subject: ({ pid, target }) => pid ?? target?.pid ?? 0,
  repeats: () => true,
  isFailure: ({ action }) => action === 'fail',
  madeWith: 'ptrace',
  summary: ptraceSummary,
  fields: {
    action: {
      type: 'word',
      words: ['attach', 'detach', 'request', 'fail'],
      doc: 'what it did: began to trace (also by PTRACE_TRACEME), stopped to, did something else, or failed',
      isAlwaysKnown: true,
      ecs: 'quark.ptrace.action',
    },
    pid: {
      type: 'pid',
      doc: 'of the caller; of PTRACE_TRACEME that is the one that is traced, by its parent',
      ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
    },
    request: {
      type: 'word',
      words: REQUESTS,
      doc: 'the request; absent if its number has no name, and where only its effect is seen',
      ecs: 'quark.ptrace.request',
    },
    requestNumber: {
      type: 'number',
      max: Number.MAX_SAFE_INTEGER,
      doc: 'its number',
      dump: { at: 'PTRA request', type: 'string', value: ({ requestNumber }) => hexOf(requestNumber) },
      ecs: 'quark.ptrace.request_number',
    },
    result: {
      type: 'number',
      max: Number.MAX_SAFE_INTEGER,
      doc: 'what it returned, if it did not fail',
      dump: 'PTRA.end result',
      ecs: 'quark.ptrace.result',
    },
    errno: {
      type: 'errno',
      doc: 'why it failed: 1 is EPERM, 3 is ESRCH',
      dump: 'PTRA.end errno',
      ecs: [{ path: 'error.code', as: 'name', doc: '`EPERM`' }, 'quark.ptrace.errno'],
    },
    targetId: {
      type: 'number',
      min: -0x8000_0000,
      max: 0x7fff_ffff,
      doc: 'the process or thread as the caller named it',
      dump: [{ at: 'PTRA pid', value: ({ target, targetId }) => target?.pid ?? targetId }],
      ecs: 'quark.ptrace.target_id',
    },
    targetIsLocal: {
      type: 'flag',
      doc: '`targetId` counts in a pid namespace of the caller’s own',
      dump: 'PTRA.end target_is_local',
      ecs: 'quark.ptrace.target_is_local',
    },
    address: {
      type: 'digits',
      doc: 'argument `addr`',
      dump: { at: 'PTRA addr', type: 'string', value: ({ address }) => hexOf(address) },
      ecs: 'quark.ptrace.address',
    },
    data: {
      type: 'digits',
      doc: 'argument `data`: a number, or where in the memory of the caller there is something',
      dump: { at: 'PTRA data', type: 'string', value: ({ data }) => hexOf(data) },
      ecs: 'quark.ptrace.data',
    },
    target: {
      type: 'object',
      object: targetObject,
      doc: 'the process of `targetId`; absent when it is not known',
      ecs: 'quark.ptrace.target',
    },
    process: { type: 'object', object: processObject, doc: 'the caller' },
  },
  text: {
    ...activityColumns<PtraceEvent>(activityText),
    word: () => 'trac',
    words: { trac: { doc: 'a process called ptrace(2) (`--ptrace`)', tone: 'changed' } },
    notes: [
      {
        label: '',
        type: 'errno',
        value: ({ errno }) => errno,
        tone: 'wrong',
        doc: 'why ptrace(2) failed',
        example: 'EPERM',
      },
      {
        label: 'in its own pid namespace',
        type: 'flag',
        value: ({ targetIsLocal, target }) => targetIsLocal && target === undefined,
        doc: 'the number of whom it is about counts in a pid namespace of the caller’s own',
        example: 'in its own pid namespace',
      },
    ],
  },
  dump: { title: () => 'PTRACE', lines: ['PTRA pid request addr data', 'PTRA.end'] },
  ecs: {
    action: ({ action }) => ACTIONS[action],
    category: ['process'],
    type: ({ request }) => [isChange(request) ? 'change' : 'access'],
    dataset: 'quark.ptrace',
    rows: [
      {
        what: 'call of ptrace(2)',
        action: '`ptrace-attached`, `ptrace-detached`, `ptrace-requested`, `ptrace-failed`',
        type: '`access` if the request only looks at the target, else `change`',
      },
    ],
  },
}

const ACTIONS: Readonly<Record<PtraceAction, string>> = {
  attach: 'ptrace-attached',
  detach: 'ptrace-detached',
  request: 'ptrace-requested',
  fail: 'ptrace-failed',
}

export const ptraceEvents = [ptraceSpec] as const
