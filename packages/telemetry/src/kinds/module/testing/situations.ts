import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { release } from 'node:os'
import { activitiesOf } from '../../../testing/activities.js'
import type { SituationsOf } from '../../../testing/situations.js'

/** Where a guest has modules of its kernel. */
const FOLDER = `/app/modules/${release()}`
const DUMMY = `${FOLDER}/dummy.ko`
/** It refuses to run on other processors than those of AMD from before 2011. */
const REFUSING = `${FOLDER}/powernow-k8.ko`

const COMMANDS = [
  ['insmod', DUMMY],
  ['insmod', DUMMY],
  ['rmmod', 'dummy'],
  ['insmod', DUMMY, 'numdummies=many'],
  ['insmod', REFUSING],
] as const

/** Commands that load and unload modules. */
export const situations: SituationsOf = {
  options: { modules: true },
  problem: existsSync('/proc/modules')
    ? existsSync(FOLDER)
      ? undefined
      : 'there is no module to load'
    : 'this kernel has no modules',
  run: async () => {
    const done = COMMANDS.map(([command, ...args]) => {
      const { pid, status } = spawnSync(command, args, { timeout: 60_000 })
      return { pid, status }
    })
    return {
      pid: process.pid,
      pids: done.map(({ pid }) => pid),
      loaded: done.map(({ status }) => status === 0),
    }
  },
  observe: ({ pids }, events) => {
    const [first, again, removed, wrong, refused] = pids as number[]
    const load = { action: 'load', name: 'dummy', taints: [], file: DUMMY }
    const failed = { action: 'load', name: 'powernow_k8', taints: [] }
    const gone = { action: 'unload', name: 'powernow_k8', initFailed: true }
    return {
      situations: [
        { name: 'a module is loaded', expected: [{ pid: first, ...load }] },
        { name: 'it is loaded once more, and refused', expected: [] },
        { name: 'it is unloaded', expected: [{ pid: removed, action: 'unload', name: 'dummy' }] },
        { name: 'a parameter that it does not take', expected: [] },
        {
          name: 'a module that fails to initialise',
          // busybox tries init_module(2) as well, which gets no file.
          expected: [{ ...failed, file: REFUSING }, gone, failed, gone].map((event) => ({
            pid: refused,
            ...event,
          })),
        },
      ],
      seen: [first, again, removed, wrong, refused].flatMap((pid) =>
        activitiesOf(events, 'module', pid as number).map(({ srcVersion: _version, ...event }) => event),
      ),
    }
  },
}
