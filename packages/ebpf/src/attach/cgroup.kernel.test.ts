import assert from 'node:assert/strict'
import { mkdtempSync, openSync, readFileSync, rmdirSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { KernelError } from '../sys/errors.js'
import { BPF_CGROUP_INET_EGRESS, BPF_PROG_TYPE_CGROUP_SKB } from '../program/types.js'
import { Fd } from '../sys/fd.js'
import { Counter } from '../testing/counter.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { kernelTest } from '../testing/kernel-test.js'
import { attachCgroup } from './cgroup.js'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

expectNoLeaks()

const LET_PASS = 1
const spec = { type: BPF_PROG_TYPE_CGROUP_SKB, expectedAttachType: BPF_CGROUP_INET_EGRESS }

function cgroupRoot(): string {
  const mounts = readFileSync('/proc/self/mounts', 'latin1').split('\n')
  const root = mounts.map((line) => line.split(' ')).find((fields) => fields[2] === 'cgroup2')?.[1]
  assert.ok(root !== undefined, 'cgroup2 is not mounted: mount it for this test')
  return root
}

async function sendPacket(): Promise<void> {
  const receiver = createSocket('udp4')
  const sender = createSocket('udp4')
  receiver.bind(0, '127.0.0.1')
  await once(receiver, 'listening')
  const received = once(receiver, 'message')
  sender.send('x', receiver.address().port, '127.0.0.1')
  await received
  await Promise.all(
    [receiver, sender].map((socket) => new Promise<void>((done) => socket.close(() => done()))),
  )
}

kernelTest('a cgroup program sees packets while its link is open', '5.7', async () => {
  using counter = new Counter(spec, LET_PASS)
  const link = attachCgroup(counter.program, cgroupRoot(), BPF_CGROUP_INET_EGRESS)
  assert.deepEqual([link.kind, link.target], ['cgroup', cgroupRoot()])
  await sendPacket()
  assert.ok(counter.count >= 1)
  link.close()
  const atClose = counter.count
  await sendPacket()
  assert.equal(counter.count, atClose)
})

kernelTest('a descriptor of a cgroup stays the caller’s', '5.7', () => {
  using counter = new Counter(spec, LET_PASS)
  using folder = new Fd(openSync(cgroupRoot(), 'r'), 'cgroup')
  attachCgroup(counter.program, folder, BPF_CGROUP_INET_EGRESS).close()
  assert.equal(folder.closed, false)
})

kernelTest('a folder that is no cgroup is refused with the reason', '5.7', () => {
  using counter = new Counter(spec, LET_PASS)
  const folder = mkdtempSync(join(tmpdir(), 'not-a-cgroup-'))
  try {
    assert.throws(
      () => attachCgroup(counter.program, folder, BPF_CGROUP_INET_EGRESS),
      (error) =>
        error instanceof KernelError &&
        error.errno === constants.errno.EBADF &&
        /no folder of a cgroup2/.test(error.message),
    )
  } finally {
    rmdirSync(folder)
  }
})
