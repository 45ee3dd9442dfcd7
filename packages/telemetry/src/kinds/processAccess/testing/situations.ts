import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { activitiesOf, runActivity } from '../../../testing/activities.js'
import type { SituationsOf } from '../../../testing/situations.js'

const PROGRAM = new URL('situation.js', import.meta.url)
const NOBODY = 2 ** 22 - 1

/** What the program does with another process, and with itself. */
export const situations: SituationsOf = {
  options: { processAccess: true },
  run: async () => {
    const target = spawn('sleep', ['1000'])
    await once(target, 'spawn')
    try {
      return { ...(await runActivity(PROGRAM, String(target.pid))), targetId: target.pid }
    } finally {
      target.kill()
    }
  },
  observe: ({ pid, targetId }, events) => {
    const whom = { targetId, targetPid: targetId, targetName: 'sleep' }
    return {
      situations: [
        {
          name: 'process_vm_readv(2)',
          expected: [{ pid, way: 'process_vm_readv', ...whom, bytes: 16 }],
        },
        {
          name: 'process_vm_readv(2) of no process',
          expected: [{ pid, way: 'process_vm_readv', targetId: NOBODY, errno: 3 }],
        },
        {
          name: 'process_vm_writev(2) to no address',
          expected: [{ pid, way: 'process_vm_writev', ...whom, writing: true, errno: 14 }],
        },
        { name: 'process_vm_readv(2) of its own memory', expected: [] },
        { name: 'pidfd_getfd(2)', expected: [{ pid, way: 'pidfd_getfd', ...whom, targetFd: 0 }] },
        {
          name: '/proc/PID/mem, to be written',
          expected: [{ pid, way: 'procMem', ...whom, writing: true }],
        },
        { name: '/proc/PID/mem, to be read', expected: [{ pid, way: 'procMem', ...whom }] },
        { name: '/proc/self/mem, and /proc/PID/maps', expected: [] },
      ],
      seen: activitiesOf(events, 'processAccess', pid),
    }
  },
}
