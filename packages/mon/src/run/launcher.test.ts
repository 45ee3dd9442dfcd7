import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import test from 'node:test'
import { packageFile } from '../version.js'
import { LAUNCHER_ARCHITECTURES, launcherFile, launcherName } from './launcher-file.js'
import { CallError, Launcher } from './launcher.js'

test('the launchers in the package are those of the source', () => {
  assert.deepEqual(LAUNCHER_ARCHITECTURES, ['x64', 'arm64'])
  for (const architecture of LAUNCHER_ARCHITECTURES) {
    const file = readFileSync(packageFile(`dist/${launcherName(architecture)}`))
    assert.deepEqual(file, Buffer.from(launcherFile(architecture)))
    assert.ok(file.length < 256)
  }
  assert.throws(() => launcherFile('mips'), RangeError)
})

test('a launcher makes system calls: their results and errors come back, memory is written and read', async () => {
  const launcher = await Launcher.start()
  const text = Buffer.from('some text '.repeat(30_000))
  const address = await launcher.put(text.length, () => text)
  assert.ok(address !== undefined)
  assert.deepEqual(await launcher.take(address + 5n, 4), Buffer.from('text'))
  const end = BigInt(text.length)
  assert.deepEqual(await launcher.take(address + end - 10n, 10), Buffer.from('some text '))
  await assert.rejects(launcher.call('wait4', -1, 0, 0, 0), (error) => {
    assert.ok(error instanceof CallError)
    assert.deepEqual([error.code, error.errno], ['wait4', constants.errno.ECHILD])
    return true
  })
  launcher.dismiss()
  assert.equal(await launcher.ended, null)
  assert.equal(await launcher.call('wait4', -1, 0, 0, 0), undefined)
})

test('a launcher that is killed is known to be', async () => {
  const launcher = await Launcher.start()
  process.kill(launcher.pid, 'SIGKILL')
  assert.equal(await launcher.ended, 'SIGKILL')
  assert.equal(await launcher.call('wait4', -1, 0, 0, 0), undefined)
})
