import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { after } from 'node:test'
import { Fd } from '../sys/fd.js'

/**
 * Call at the top of a test file that opens descriptors: when its tests are done, as many are open as now, counted
 * both by `Fd` and by the kernel.
 */
export function expectNoLeaks(): void {
  const before = countDescriptors()
  after(() => {
    assert.deepEqual(countDescriptors(), before, 'descriptors are left open')
  })
}

function countDescriptors(): { fds: number; entries: string[] } {
  return { fds: Fd.openCount(), entries: readdirSync('/proc/self/fd') }
}
