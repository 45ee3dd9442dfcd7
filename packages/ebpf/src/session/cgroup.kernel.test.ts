import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { findCgroupRoot, openCgroupRoot } from '../attach/cgroup-root.js'
import { kernelPreempts } from '../kernel/preemption.js'
import {
  and,
  cgroupSkb,
  cgroupSock,
  cgroupSockAddr,
  claim,
  currentTask,
  eq,
  type MapEffect,
  packet,
  map,
  probe,
  record,
  type Scalar,
  struct,
  u16,
  u32,
} from '../probe/index.js'
import { BPF_CGROUP_INET_EGRESS } from '../program/types.js'
import { bpf, BPF_PROG_QUERY, BpfAttr } from '../sys/bpf.js'
import { kernelAtLeast } from '../sys/platform.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { kernelTest } from '../testing/kernel-test.js'
import { drainRecords, openSession, type Task } from '../testing/process-probes.js'
import type { ProbeSession } from './session.js'

expectNoLeaks()

/** `currentTask()` in programs of cgroups is tried from 6.1 on. */
const SINCE = kernelPreempts() ? '6.10' : '6.1'
const LOOPBACK = '127.0.0.1'
/** Of the header of IPv4, and of UDP behind one without options. */
const PROTOCOL = packet(9, 1)
const DESTINATION_PORT = packet(22, 2)
const FIRST_BYTE = packet(28, 1)
const UDP = 17

const shape = record(0x201, 'packet', { pid: u32, len: u32, port: u16, first: u16, mark: u32 })

/** Packets of UDP whose first byte is `first`. */
function packetProbe(place: 'ingress' | 'egress', first: number, effects: readonly MapEffect[] = []) {
  return probe({ name: `t_${place}`, hook: cgroupSkb(place), record: shape }, (context) => ({
    when: and(eq(PROTOCOL, UDP), eq(FIRST_BYTE, first)),
    effects,
    fill: {
      pid: currentTask<Task>().tgid,
      len: context.len,
      port: DESTINATION_PORT,
      first: FIRST_BYTE,
      mark: context.mark,
    },
  }))
}

async function openReceiver(): Promise<Socket> {
  const receiver = createSocket('udp4')
  receiver.bind(0, LOOPBACK)
  await once(receiver, 'listening')
  return receiver
}

/** Sends a packet to this process, and waits for it. */
async function sendOne(text: string): Promise<number> {
  const receiver = await openReceiver()
  const sender = createSocket('udp4')
  const { port } = receiver.address()
  try {
    const received = once(receiver, 'message', { signal: AbortSignal.timeout(5000) })
    sender.send(text, port, LOOPBACK)
    const [message] = (await received) as [Buffer]
    assert.equal(message.toString(), text)
    return port
  } finally {
    for (const socket of [receiver, sender]) {
      socket.close()
      await once(socket, 'close')
    }
  }
}

/** Programs that are attached to the root for egress. */
function countAttached(): number {
  using root = openCgroupRoot()
  const attr = new BpfAttr().u32(0, root.number).u32(4, BPF_CGROUP_INET_EGRESS)
  assert.equal(bpf(BPF_PROG_QUERY, attr), 0)
  return attr.readU32(24)
}

kernelTest('packets pass both ways over loopback, and each is recorded', SINCE, async () => {
  using session = openSession()
  const [sent, received] = [packetProbe('egress', 0x61), packetProbe('ingress', 0x61)]
  assert.equal(session.attach(sent).hook, 'cgroup_skb/egress')
  session.attach(received)
  const port = await sendOne('a packet')
  const records = drainRecords(session, sent)
  const swapped = ((port & 0xff) << 8) | (port >> 8)
  const [out, into, ...more] = records
  assert.deepEqual([records.length, more], [2, []])
  assert.deepEqual([out?.pid, out?.len, out?.port], [process.pid, 36, swapped])
  assert.deepEqual([into?.len, into?.port, into?.first], [36, swapped, 0x61])
})

kernelTest(
  'packets pass when no record is written: wrong condition, taken key, full ring',
  SINCE,
  async () => {
    const claims = map({ name: 't_claimed', type: 'hash', key: u32, value: u32, maxEntries: 4 })
    const claiming = claim(claims, 1)
    using session = openSession(undefined, { ringSizeBytes: 4096, cpuRings: false })
    const taken = packetProbe('egress', 0x62, [claiming])
    session.attach(taken)
    session.attach(packetProbe('ingress', 0x63))
    await sendOne('another first byte')
    await sendOne('b, which nobody has claimed')
    await sendOne('b, which was claimed')
    assert.equal(drainRecords(session, taken).length, 1)
    // Nobody drains meanwhile.
    for (let i = 0; i < 150; i += 1) await sendOne('c'.repeat(10))
    assert.ok(countLost(session) > 0)
  },
)

function countLost(session: ProbeSession): number {
  return [...session.counters().lost.values()].reduce((sum, count) => sum + count, 0)
}

kernelTest('sockets, binds and connections are seen in the task that makes them', SINCE, async () => {
  using session = openSession()
  interface Sock {
    readonly __sk_common: { readonly skc_family: Scalar }
  }
  const AF_INET = 2
  const socks = record(0x202, 'sock', { pid: u32, family: u32, kernelFamily: u32 })
  const connects = record(0x203, 'connect', { pid: u32, ip: u32, port: u32 })
  const pid = currentTask<Task>().tgid
  const kernelSock = struct<Sock>('sock', 'sk')
  const [created, released] = (['create', 'release'] as const).map((place) =>
    probe({ name: `t_${place}`, hook: cgroupSock(place, kernelSock), record: socks }, (context, sk) => ({
      when: eq(pid, process.pid),
      fill: { pid, family: context.family, kernelFamily: sk.__sk_common.skc_family },
    })),
  )
  const connected = probe(
    { name: 't_connect', hook: cgroupSockAddr('connect4'), record: connects },
    (context) => ({
      when: eq(pid, process.pid),
      fill: { pid, ip: context.user_ip4, port: context.user_port },
    }),
  )
  assert.ok(created !== undefined && released !== undefined)
  session.attach(created)
  const { missing } = session.attach(connected)
  assert.deepEqual(missing, [])
  const server = createServer((socket) => socket.end()).listen(0, LOOPBACK)
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const client = connect(address.port, LOOPBACK)
  client.resume()
  await once(client, 'close')
  const { port } = address
  assert.deepEqual(
    drainRecords(session, connected).map((one) => [one.pid, one.ip, one.port]),
    [[process.pid, 0x0100_007f, ((port & 0xff) << 8) | (port >> 8)]],
  )
  session.attach(released)
  server.close()
  await once(server, 'close')
  const kernelFamily = kernelAtLeast('6.2') ? AF_INET : 0
  const releases = drainRecords(session, released)
  assert.ok(releases.length > 0)
  for (const one of releases) assert.deepEqual([one.family, one.kernelFamily], [AF_INET, kernelFamily])
})

kernelTest('a session can be bound to one cgroup', SINCE, async () => {
  const root = findCgroupRoot(readFileSync('/proc/self/mountinfo', 'latin1'))
  assert.ok(root !== undefined, 'cgroup2 is not mounted: mount it for this test')
  const cgroup = `${root}/quark-test-${process.pid}`
  mkdirSync(cgroup)
  try {
    using session = openSession(undefined, { cgroup })
    const sent = packetProbe('egress', 0x64)
    session.attach(sent)
    await sendOne('d, from a process elsewhere')
    assert.deepEqual(drainRecords(session, sent), [])
  } finally {
    rmdirSync(cgroup)
  }
})

kernelTest('nothing stays attached after close', SINCE, () => {
  const before = countAttached()
  const session = openSession()
  session.attach(packetProbe('egress', 0x65))
  assert.equal(countAttached(), before + 1)
  session.close()
  assert.equal(countAttached(), before)
})

kernelTest('nothing stays attached when the process is killed', SINCE, async () => {
  const before = countAttached()
  const child = spawn(process.execPath, ['--input-type=module', '-e', KILLED], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  assert.equal(said.toString().trim(), 'attached')
  assert.equal(countAttached(), before + 1)
  child.kill('SIGKILL')
  await once(child, 'close')
  // The kernel gives links up behind the scenes.
  for (let tries = 0; countAttached() !== before; tries += 1) {
    assert.ok(tries < 100, 'the program is still attached')
    await delay(50)
  }
  await sendOne('still passes')
})

const KILLED = `
  import { cgroupSkb, probe } from '${new URL('../probe/index.js', import.meta.url)}'
  import { openSession } from '${new URL('../testing/process-probes.js', import.meta.url)}'
  openSession().attach(probe({ name: 't_killed', hook: cgroupSkb('egress') }, () => ({})))
  console.log('attached')
  setInterval(() => {}, 1000)
`
