import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { knownOf, type Plain, runActivity } from '../../../testing/activities.js'
import type { Situation, SituationsOf } from '../../../testing/situations.js'

const PROGRAM = new URL('situation.js', import.meta.url)
const NOBODY = 2 ** 22 - 1

/** What the program does with another process, with itself and with its parent. */
export const situations: SituationsOf = {
  options: { ptrace: true },
  run: async () => {
    const target = spawn('sleep', ['1000'])
    await once(target, 'spawn')
    try {
      return { ...(await runActivity(PROGRAM, String(target.pid))), targetId: target.pid }
    } finally {
      target.kill()
    }
  },
  observe: ({ pid, targetId, comm }, events) => {
    const other = { targetId, targetPid: targetId, targetName: 'sleep' }
    const call = (name: string, more: Plain): Situation => ({
      name,
      expected: [{ pid, address: 0n, data: 0n, ...more }],
    })
    return {
      situations: [
        call('PTRACE_SEIZE', {
          action: 'attach',
          request: 'PTRACE_SEIZE',
          requestNumber: 0x4206,
          result: 0,
          ...other,
        }),
        call('PTRACE_INTERRUPT', {
          action: 'request',
          request: 'PTRACE_INTERRUPT',
          requestNumber: 0x4207,
          result: 0,
          ...other,
        }),
        call('PTRACE_DETACH', {
          action: 'detach',
          request: 'PTRACE_DETACH',
          requestNumber: 17,
          result: 0,
          ...other,
        }),
        call('PTRACE_SEIZE of no process', {
          action: 'fail',
          request: 'PTRACE_SEIZE',
          requestNumber: 0x4206,
          errno: 3,
          targetId: NOBODY,
        }),
        call('PTRACE_ATTACH to itself', {
          action: 'fail',
          request: 'PTRACE_ATTACH',
          requestNumber: 16,
          errno: 1,
          targetId: pid,
          targetPid: pid,
          targetName: comm,
        }),
        call('PTRACE_SYSCALL of a process that it does not trace', {
          action: 'fail',
          request: 'PTRACE_SYSCALL',
          requestNumber: 24,
          errno: 3,
          ...other,
          address: 0x12n,
          data: 0x34n,
        }),
        call('PTRACE_TRACEME', {
          action: 'attach',
          request: 'PTRACE_TRACEME',
          requestNumber: 0,
          result: 0,
        }),
      ],
      seen: events
        .filter((event) => event.kind === 'ptrace')
        .map(knownOf)
        .filter(({ pid: by, targetPid }) => by === pid || (by === undefined && targetPid === targetId)),
    }
  },
}
