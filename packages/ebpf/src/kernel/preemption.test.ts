import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bootMode, preempts } from './preemption.js'

test('whether a kernel preempts is in its version and its mode', () => {
  const cases: readonly [string, string | undefined, boolean][] = [
    ['#1 SMP Debian 5.10.218-1 (2024-06-01)', undefined, false],
    ['#1 SMP PREEMPT Debian 6.12', undefined, true],
    ['#1 SMP PREEMPT_RT Debian 6.12', 'none', true],
    ['#1 SMP PREEMPT_DYNAMIC Debian 6.1.90-1', 'voluntary', false],
    ['#1 SMP PREEMPT_DYNAMIC Debian 6.1.90-1', 'none', false],
    ['#1 SMP PREEMPT_DYNAMIC Debian 6.1.90-1', 'full', true],
    ['#1 SMP PREEMPT_DYNAMIC Debian 6.12', 'lazy', true],
    ['#1 SMP PREEMPT_DYNAMIC', undefined, true],
  ]
  for (const [version, mode, expected] of cases) {
    assert.equal(
      preempts(version, () => mode),
      expected,
      `${version}: ${mode}`,
    )
  }
})

test('the mode at boot is what the command line asks for, or what the kernel was built for', () => {
  const config = 'CONFIG_PREEMPT_BUILD=y\nCONFIG_PREEMPT_VOLUNTARY=y\n# CONFIG_PREEMPT is not set\n'
  assert.equal(bootMode('quiet preempt=full', config), 'full')
  assert.equal(bootMode('quiet nopreempt=1', config), 'voluntary')
  assert.equal(bootMode('quiet', 'CONFIG_PREEMPT=y\nCONFIG_PREEMPT_DYNAMIC=y\n'), undefined)
  assert.equal(bootMode('quiet', undefined), undefined)
})
