import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { BackendError } from '../errors.js'
import { Quark } from '../quark.js'

/**
 * A test of the kprobe backend. On a kernel that offers no kprobe events, because they are not compiled in or
 * lockdown forbids them, only the refusal is tested, and the test is skipped.
 */
export function kprobeTest(name: string, body: (t: TestContext) => Promise<void> | void): void {
  test(name, async (t) => {
    if (existsSync('/sys/kernel/tracing/kprobe_events')) {
      await body(t)
      return
    }
    await assert.rejects(
      Quark.open({ backends: ['kprobe'] }),
      (error) => error instanceof BackendError && /kprobe: Cannot use kprobe events: /.test(error.message),
    )
    t.skip('this kernel offers no kprobe events; that they are refused was tested')
  })
}
