import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { release } from 'node:os'
import { test } from 'node:test'
import { Quark } from '../../quark.js'
import { activitiesOf, watchActivity } from '../../testing/activities.js'

const LIMIT = { timeout: 240_000 }
/** Where a guest has modules of its kernel. */
const MODULES = '/app/modules'

test('a kernel without modules says so, and other kinds are watched all the same', LIMIT, async (t) => {
  if (existsSync('/proc/modules')) return t.skip('this kernel has modules')
  await using quark = await Quark.open({ modules: true, backends: ['ebpf'] })
  const missing = quark.capabilities.missing.find(({ fact }) => fact === 'moduleLoads')
  assert.match(missing?.reason ?? '', /module_load/)
})

test('a module that is loaded, refused, unloaded, and one that fails to initialise', LIMIT, async (t) => {
  const folder = `${MODULES}/${release()}`
  if (!existsSync(folder)) return t.skip('there is no module to load')
  const done: { pid: number; status: number | null }[] = []
  const { events } = await watchActivity(t, { modules: true }, 'module', async () => {
    done.length = 0
    const commands = [
      ['insmod', `${folder}/dummy.ko`],
      ['insmod', `${folder}/dummy.ko`],
      ['rmmod', 'dummy'],
      ['insmod', `${folder}/dummy.ko`, 'numdummies=many'],
      ['insmod', `${folder}/powernow-k8.ko`],
    ]
    for (const [command = '', ...args] of commands) {
      const { pid, status } = spawnSync(command, args)
      done.push({ pid, status })
    }
    return { pid: process.pid }
  })
  assert.deepEqual(
    done.map(({ status }) => status === 0),
    [true, false, true, false, false],
  )
  const seen = done.map(({ pid }) =>
    activitiesOf(events, 'module', pid).map(({ pid: _pid, srcVersion: _version, ...event }) => event),
  )
  const loaded = { action: 'load', name: 'dummy', taints: [], file: `${folder}/dummy.ko` }
  const refused = { ...loaded, name: 'powernow_k8', file: `${folder}/powernow-k8.ko` }
  const gone = { action: 'unload', name: 'powernow_k8', initFailed: true }
  assert.deepEqual(seen, [
    [loaded],
    [],
    [{ action: 'unload', name: 'dummy' }],
    [],
    // busybox tries init_module(2) as well, which gets no file.
    [refused, gone, { action: 'load', name: 'powernow_k8', taints: [] }, gone],
  ])
})
