import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import { Quark } from '../quark.js'
import { hasCompatCalls } from '../testing/compat.js'
import { COMPAT, repeatingProgram, type Step } from '../testing/elf.js'
import { makeDirectory, writeProgram } from '../testing/scenario.js'

/**
 * Calls of 32-bit programs whose numbers 64-bit programs use for something else: mkdir(2), unlink(2), ioperm(2), unshare(2),
 * signalfd(2), utime(2), link(2), which for those would be getpid(2), mprotect(2), ptrace(2), process_vm_readv(2), bpf(2), shmat(2) and
 * mmap(2).
 */
const CALLS: readonly Step[] = [
  [COMPAT, 39, 0, 0],
  [COMPAT, 10, 0],
  [COMPAT, 101, 0, 0, 0],
  [COMPAT, 310, 0],
  [COMPAT, 321, 5, 0, 0],
  [COMPAT, 30, 0, 0],
  [COMPAT, 9, 0, 0],
]
/** getpid(2) and write(2) of 32-bit programs. */
const OWN_CALLS: readonly Step[] = [
  [COMPAT, 20],
  [COMPAT, 4, 1, 0, 0],
]

test('32-bit calls are not taken for 64-bit ones of the same number', { timeout: 60_000 }, async (t) => {
  if (!hasCompatCalls()) return t.skip('64-bit programs cannot make 32-bit calls here')
  const directory = makeDirectory('compat')
  t.after(() => rmSync(directory, { recursive: true }))
  const program = writeProgram(directory, 'compat', repeatingProgram(1, [...CALLS, ...OWN_CALLS, ['getpid']]))
  const quark = await Quark.open({
    backends: ['ebpf'],
    aggregation: 'none',
    getpid: true,
    ptrace: true,
    processAccess: true,
    bpf: true,
    sharedMemory: true,
    executableMemory: true,
    tty: true,
    where: { treeOf: process.pid },
  })
  const { pid, status } = spawnSync(program, { timeout: 10_000 })
  const events = quark.finish()
  const { missing } = quark.capabilities
  await quark.close()
  assert.equal(status, 0)
  const seen = events.filter((event) => event.process?.pid === pid && event.kind !== 'process')
  assert.deepEqual(
    seen.map(({ kind }) => kind),
    ['getpid'],
  )
  // That they are not seen is said of each.
  for (const what of ['getpid', 'ptrace', 'processMemory', 'bpf', 'sharedMemory', 'executableMemory'])
    assert.ok(
      missing.some(({ fact }) => fact === `${what} by 32-bit calls`),
      what,
    )
})
