import assert from 'node:assert/strict'
import { test } from 'node:test'
import { permissionAdvice, type PermissionFacts } from './permission.js'

const ALL = (1n << 41n) - 1n
const free: PermissionFacts = { capEffective: ALL, seccomp: 0, lockdown: 'none', unprivilegedBpfDisabled: 2 }

test('permissionAdvice() names what stands in the way', async (t) => {
  const cases: { name: string; facts: PermissionFacts; expected: RegExp }[] = [
    {
      name: 'no capabilities',
      facts: { ...free, capEffective: 0n },
      expected: /^run as root or grant CAP_.*disabled is 2$/,
    },
    { name: 'CAP_BPF alone', facts: { ...free, capEffective: 1n << 39n }, expected: /^run as root/ },
    {
      name: 'lockdown',
      facts: { ...free, lockdown: 'integrity' },
      expected: /^kernel lockdown is "integrity"/,
    },
    { name: 'seccomp', facts: { ...free, seccomp: 2 }, expected: /^a seccomp filter is active/ },
    {
      name: 'several at once',
      facts: { ...free, capEffective: 0n, seccomp: 2 },
      expected: /run as root.*; a seccomp filter/,
    },
    { name: 'nothing seen', facts: free, expected: /^the capabilities suffice/ },
    {
      name: 'nothing known',
      facts: {
        capEffective: undefined,
        seccomp: undefined,
        lockdown: undefined,
        unprivilegedBpfDisabled: undefined,
      },
      expected: /security module/,
    },
  ]
  for (const { name, facts, expected } of cases) {
    await t.test(name, () => assert.match(permissionAdvice(facts), expected))
  }
})

test('CAP_BPF with CAP_PERFMON, or CAP_SYS_ADMIN, is enough', () => {
  for (const capEffective of [(1n << 38n) | (1n << 39n), 1n << 21n]) {
    assert.doesNotMatch(permissionAdvice({ ...free, capEffective }), /run as root/)
  }
})
