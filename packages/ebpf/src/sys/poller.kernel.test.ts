import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { constants } from 'node:os'
import { ClosedError } from '../errors.js'
import { BpfMap } from '../map/map.js'
import { RingReader } from '../ring/ringbuf.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { kernelTest } from '../testing/kernel-test.js'
import { RingWriter } from '../testing/programs.js'
import { Fd } from './fd.js'
import { eventfd, write } from './libc.js'
import { checked } from './permission.js'
import { Poller } from './poller.js'

expectNoLeaks()

function newEventFd(): Fd {
  return new Fd(checked('Cannot create an eventfd', 'eventfd', eventfd(0, 0)), 'eventfd')
}

function raise(fd: Fd): void {
  assert.equal(write(fd.number, new Uint8Array(BigUint64Array.of(1n).buffer)), 8)
}

kernelTest('a wait ends when a descriptor has input', '4.18', async () => {
  using fd = newEventFd()
  using other = newEventFd()
  using poller = new Poller([other, fd])
  const waiting = poller.wait(-1)
  raise(fd)
  assert.equal(await waiting, true)
})

kernelTest('a wait ends at its timeout', '4.18', async () => {
  using fd = newEventFd()
  using poller = new Poller([fd])
  assert.equal(await poller.wait(1), false)
  assert.equal(await poller.wait(0), false)
})

kernelTest('a wait ends by wake(), by abort and by close(), and returns false', '4.18', async () => {
  using fd = newEventFd()
  const poller = new Poller([fd])

  const woken = poller.wait(-1)
  poller.wake()
  assert.equal(await woken, false)

  const controller = new AbortController()
  const aborted = poller.wait(-1, controller.signal)
  controller.abort()
  assert.equal(await aborted, false)
  assert.equal(await poller.wait(-1, controller.signal), false)

  const closed = poller.wait(-1)
  poller.close()
  assert.equal(await closed, false)
  poller.close()
  poller.wake()
  await assert.rejects(poller.wait(0), ClosedError)
})

kernelTest('a wakeup counts for one wait only', '4.18', async () => {
  using fd = newEventFd()
  using poller = new Poller([fd])
  poller.wake()
  poller.wake()
  assert.equal(await poller.wait(-1), false)
  raise(fd)
  assert.equal(await poller.wait(-1), true)
})

kernelTest('a second wait at the same time is refused', '4.18', async () => {
  using poller = new Poller([])
  const first = poller.wait(-1)
  await assert.rejects(poller.wait(0), TypeError)
  poller.wake()
  assert.equal(await first, false)
})

kernelTest('a poller that cannot watch a descriptor leaves nothing open', '4.18', () => {
  const before = Fd.openCount()
  using plain = new Fd(1_000_000, 'a number that is not open')
  assert.throws(() => new Poller([plain]), { errno: constants.errno.EBADF })
  assert.equal(Fd.openCount(), before + 1)
})

kernelTest('a ring wakes its reader', '5.8', async () => {
  using map = BpfMap.create({ name: 'ring', type: 'ringbuf', maxEntries: 65_536 })
  using reader = RingReader.open(map)
  using writer = new RingWriter(map)
  using poller = new Poller([reader.fd])
  const waiting = poller.wait(-1)
  assert.equal(writer.write(Buffer.from('wake')), true)
  assert.equal(await waiting, true)
})

kernelTest('process.exit() does not wait for a wait', '4.18', () => {
  const poller = new URL('poller.js', import.meta.url).href
  const program = `
    import { Poller } from '${poller}'
    void new Poller([]).wait(-1)
    setTimeout(() => process.exit(7), 50)
  `
  const { status } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  })
  assert.equal(status, 7)
})
