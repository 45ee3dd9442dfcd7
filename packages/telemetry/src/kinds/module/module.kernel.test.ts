import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { Quark } from '../../quark.js'
import { watchActivity } from '../../testing/activities.js'
import { expectedOf } from '../../testing/situations.js'
import { situations } from './testing/situations.js'

const LIMIT = { timeout: 240_000 }

test('a kernel without modules says so, and other kinds are watched all the same', LIMIT, async (t) => {
  if (existsSync('/proc/modules')) return t.skip('this kernel has modules')
  await using quark = await Quark.open({ modules: true, backends: ['ebpf'] })
  const missing = quark.capabilities.missing.find(({ fact }) => fact === 'moduleLoads')
  assert.match(missing?.reason ?? '', /module_load/)
})

test('a module that is loaded, refused, unloaded, and one that fails to initialise', LIMIT, async (t) => {
  const { options, problem, run, observe } = situations
  if (problem !== undefined) return t.skip(problem)
  const { facts, events } = await watchActivity(t, options, 'module', run)
  assert.deepEqual(facts['loaded'], [true, false, true, false, false])
  const observed = observe(facts, events)
  assert.deepEqual(observed.seen, expectedOf(observed.situations))
})
