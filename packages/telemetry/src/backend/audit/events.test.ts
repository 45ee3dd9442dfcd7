import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AUDIT_EOE, AUDIT_SYSCALL } from 'quark-ebpf'
import * as fc from 'fast-check'
import { auditRecord } from '../../testing/audit-record.js'
import { auditArchitectures, numbersOf } from './architectures.js'
import { AuditEvents } from './events.js'

const { arch, architecture } = auditArchitectures()[0]!
const CALL = { numbers: { x86_64: [105], i386: [23], aarch64: [146] } }
const [SETUID] = numbersOf([CALL], architecture)
const BOOT_MS = 1_700_000_000_000

/** The times that calls of setuid(2) get, in ns since boot; each is a pid and when its call began, in ms. */
function timesOf(begun: readonly { readonly pid: number; readonly ms: number }[]): bigint[] {
  const auditEvents = new AuditEvents(() => BigInt(BOOT_MS) * 1_000_000n, [CALL], [])
  for (const [serial, { pid, ms }] of begun.entries()) {
    const line = (type: number, text: string): void =>
      auditEvents.take(auditRecord(type, text, { timeMs: BOOT_MS + ms, serial })!)
    line(AUDIT_SYSCALL, `arch=${arch.toString(16)} syscall=${SETUID} success=yes exit=0 pid=${pid}`)
    line(AUDIT_EOE, '')
  }
  return auditEvents.takeComplete().map(({ timeNs }) => timeNs)
}

test('calls of a process keep their order when one of another process that began before comes between', () => {
  const [first, between, second] = timesOf([
    { pid: 1, ms: 12 },
    { pid: 2, ms: 8 },
    { pid: 1, ms: 12 },
  ]) as [bigint, bigint, bigint]
  assert.ok(between < first && first < second, `${between}, ${first}, ${second}`)
})

test('property: calls keep their order within a process, and their millisecond', () => {
  const turns = fc.array(
    fc.record({ pid: fc.integer({ min: 1, max: 3 }), stepMs: fc.constantFrom(0, 0, 1, 4) }),
    {
      maxLength: 60,
    },
  )
  fc.assert(
    fc.property(turns, (steps) => {
      const clocks = new Map<number, number>()
      const begun = steps.map(({ pid, stepMs }) => {
        const ms = (clocks.get(pid) ?? 0) + stepMs
        clocks.set(pid, ms)
        return { pid, ms }
      })
      const last = new Map<number, bigint>()
      for (const [i, timeNs] of timesOf(begun).entries()) {
        const { pid, ms } = begun[i]!
        assert.equal(timeNs / 1_000_000n, BigInt(ms))
        assert.ok(timeNs > (last.get(pid) ?? -1n), `call ${i} of process ${pid} is before the one before`)
        last.set(pid, timeNs)
      }
    }),
  )
})
