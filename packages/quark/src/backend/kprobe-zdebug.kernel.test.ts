import { test } from 'node:test'
import { spawnSync } from 'node:child_process'
import { Quark } from '../quark.js'
async function attempt(what: string): Promise<void> {
  try {
    const q = await Quark.open({ backends: ['kprobe'] })
    console.log(what, 'opened', q.stats().backend)
    await q.close()
  } catch (error) {
    console.log(what, String(error))
  }
}
test('debug', async () => {
  await attempt('as it is')
  spawnSync('mount', ['-o', 'remount,ro', '/sys/kernel/tracing']); await attempt('remounted ro')
  spawnSync('mount', ['-o', 'remount,rw', '/sys/kernel/tracing'])
  spawnSync('umount', ['/sys/kernel/debug/tracing']); spawnSync('umount', ['/sys/kernel/debug'])
  spawnSync('umount', ['/sys/kernel/tracing'])
  await attempt('unmounted')
  spawnSync('mkdir', ['-p', '/tmp/tr x']); spawnSync('mount', ['-t', 'tracefs', 'x', '/tmp/tr x'])
  await attempt('elsewhere')
})
