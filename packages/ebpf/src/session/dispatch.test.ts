import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { test } from 'node:test'
import type { BpfMap } from '../map/map.js'
import type { Program } from '../program/program.js'
import { KernelError } from '../sys/errors.js'
import { CallChains } from './dispatch.js'

test('probes that are shared are detached although maps cannot be changed any more', () => {
  const table = {
    set: () => {},
    delete: () => {
      throw new KernelError('Cannot access map "calls"', 'bpf(BPF_MAP_DELETE_ELEM)', constants.errno.EPERM)
    },
  } as unknown as BpfMap
  const chains = new CallChains(table)
  const station = { program: { fd: { number: 0 } } as Program, numbers: [1, 2], next: table }
  chains.add(station)
  assert.throws(() => chains.remove(station), KernelError)
  chains.clear()
  assert.ok(chains.isEmpty)
  chains.remove(station)
})
