import assert from 'node:assert/strict'
import test from 'node:test'
import { TimeBase } from '../event/time-base.js'
import { ProcessRecord } from './entry.js'
import { type Parents, settleOrigin, settleOrigins } from './origin.js'

const timeBase = new TimeBase(0n)

interface Known {
  readonly ppid?: number
  readonly sid?: number
  readonly exe?: string
  readonly tty?: readonly [major: number, minor: number]
  readonly cgroup?: string
  readonly env?: readonly string[]
}

function processOf(pid: number, { ppid, sid, exe, tty, cgroup, env }: Known): ProcessRecord {
  const process = new ProcessRecord(pid, timeBase)
  process.ppid = ppid
  process.sid = sid
  process.cgroup = cgroup
  const known = { exe, ttyMajor: tty?.[0] ?? 0, ttyMinor: tty?.[1] ?? 0, realEnv: env }
  for (const [name, value] of Object.entries(known)) Object.defineProperty(process, name, { value })
  return process
}

class Table implements Parents {
  readonly processes = new Map<number, ProcessRecord>()
  environment: readonly string[] | undefined = undefined

  constructor(known: Readonly<Record<number, Known>>) {
    for (const [pid, one] of Object.entries(known))
      this.processes.set(Number(pid), processOf(Number(pid), one))
  }

  peek(pid: number): ProcessRecord | undefined {
    return this.processes.get(pid)
  }

  environmentOf(): readonly string[] | undefined {
    return this.environment
  }

  /** The types and leaders of all, by pid. */
  settled(): Record<number, string> {
    // In the order in which /proc may have them, which is any.
    settleOrigins([...this.processes.values()].toReversed(), this)
    return Object.fromEntries(
      [...this.processes].map(([pid, { origin }]) => [
        pid,
        origin === undefined ? 'unknown' : `${origin.type} ${origin.pid}`,
      ]),
    )
  }
}

const init: Known = { ppid: 0, sid: 1, exe: '/usr/lib/systemd/systemd' }
const PTS = [136, 3] as const
const SHELL = '/bin/bash'
const SHIM = '/usr/bin/containerd-shim-runc-v2'
const ID = 'a'.repeat(64)

/** How processes stand to each other, and the origin of each. */
const CASES: Readonly<Record<string, readonly [Readonly<Record<number, Known>>, Record<number, string>]>> = {
  'a login by ssh': [
    {
      1: init,
      10: { ppid: 1, sid: 10, exe: '/usr/sbin/sshd' },
      11: { ppid: 10, sid: 11, exe: '/usr/sbin/sshd' },
      12: { ppid: 11, sid: 12, exe: SHELL, tty: PTS },
      13: { ppid: 12, sid: 12, exe: '/bin/ls', tty: PTS },
      14: { ppid: 13, sid: 14, exe: '/usr/bin/setsid' },
    },
    { 1: 'init 1', 10: 'init 1', 11: 'init 1', 12: 'sshd 12', 13: 'sshd 12', 14: 'sshd 12' },
  ],
  'a login by a newer sshd, of which parts are programs of their own': [
    {
      1: init,
      10: { ppid: 1, sid: 10, exe: '/usr/sbin/sshd' },
      11: { ppid: 10, sid: 11, exe: '/usr/lib/openssh/sshd-session' },
      12: { ppid: 11, sid: 12, exe: '/usr/lib/openssh/sshd-auth' },
      13: { ppid: 11, sid: 13, exe: SHELL, tty: PTS },
    },
    { 1: 'init 1', 10: 'init 1', 11: 'init 1', 12: 'init 1', 13: 'sshd 13' },
  ],
  'a getty on a serial line, and the login on it': [
    {
      1: init,
      20: { ppid: 1, sid: 20, exe: '/sbin/agetty', tty: [4, 64] },
      21: { ppid: 1, sid: 21, exe: '/bin/login', tty: [229, 0] },
      22: { ppid: 21, sid: 22, exe: SHELL, tty: [229, 0] },
    },
    { 1: 'init 1', 20: 'terminal 20', 21: 'terminal 21', 22: 'terminal 22' },
  ],
  'a login on a virtual console': [
    {
      1: init,
      30: { ppid: 1, sid: 30, exe: '/sbin/agetty', tty: [4, 2] },
      31: { ppid: 1, sid: 31, exe: '/bin/login', tty: [4, 1] },
      32: { ppid: 31, sid: 32, exe: SHELL, tty: [4, 1] },
      33: { ppid: 32, sid: 32, exe: '/usr/bin/vi', tty: [4, 1] },
      34: { ppid: 1, sid: 34, exe: '/bin/login', tty: [5, 1] },
    },
    {
      1: 'init 1',
      30: 'init 1',
      31: 'console 31',
      32: 'console 31',
      33: 'console 31',
      34: 'console 34',
    },
  ],
  'a session of SSM': [
    {
      1: init,
      40: { ppid: 1, sid: 40, exe: '/usr/bin/ssm-session-worker' },
      41: { ppid: 40, sid: 41, exe: SHELL, tty: PTS },
      42: { ppid: 40, sid: 42, exe: SHELL },
    },
    { 1: 'init 1', 40: 'init 1', 41: 'ssm 41', 42: 'init 1' },
  ],
  'containers of containerd': [
    {
      1: init,
      50: { ppid: 1, sid: 50, exe: SHIM },
      51: { ppid: 50, sid: 51, exe: '/bin/web' },
      52: { ppid: 51, sid: 51, exe: '/bin/worker' },
      53: { ppid: 50, sid: 50, exe: '/bin/helper' },
      54: { ppid: 50, sid: 54, exe: '/pause' },
      55: { ppid: 50, sid: 55, exe: '/usr/bin/runc' },
      56: { ppid: 55, sid: 56, exe: '/bin/web' },
    },
    {
      1: 'init 1',
      50: 'init 1',
      51: 'container 51',
      52: 'container 51',
      53: 'init 1',
      54: 'init 1',
      55: 'init 1',
      56: 'container 56',
    },
  ],
  'containers that only their cgroups show': [
    {
      1: init,
      60: { ppid: 1, sid: 60, exe: '/usr/bin/own-runtime', cgroup: '/system.slice/own.service' },
      61: { ppid: 60, sid: 61, exe: '/sbin/init', cgroup: `/docker/${ID}` },
      62: { ppid: 61, sid: 62, exe: '/bin/daemon', cgroup: `/docker/${ID}/x` },
    },
    { 1: 'init 1', 60: 'init 1', 61: 'container 61', 62: 'container 61' },
  ],
  'threads of the kernel': [
    { 2: { ppid: 0, sid: 0 }, 70: { ppid: 2, sid: 0 } },
    { 2: 'kthread 2', 70: 'kthread 2' },
  ],
  'parents that are not known, and pids that go in a circle': [
    {
      80: { ppid: 79, sid: 80, exe: SHELL, tty: PTS },
      81: { ppid: 82, sid: 1 },
      82: { ppid: 81, sid: 1 },
      83: { ppid: 83, sid: 83 },
      84: { ppid: 0, sid: 84 },
    },
    { 80: 'unknown', 81: 'unknown', 82: 'unknown', 83: 'unknown', 84: 'unknown' },
  ],
}

for (const [name, [known, expected]] of Object.entries(CASES)) {
  test(`entry leaders: ${name}`, () => assert.deepEqual(new Table(known).settled(), expected))
}

test('very deep trees are settled', () => {
  const known: Record<number, Known> = { 1: init }
  for (let pid = 2; pid < 5000; pid++) known[pid + 1] = { ppid: pid === 2 ? 1 : pid, sid: 1 }
  const origins = new Table(known).settled()
  assert.ok(Object.values(origins).every((origin) => origin === 'init 1'))
})

const login = {
  1: init,
  11: { ppid: 1, sid: 11, exe: '/usr/sbin/sshd' },
  12: { ppid: 11, sid: 12, exe: SHELL, tty: PTS },
}

const ADDRESSES: readonly [variable: string, address: string | undefined, port: number | undefined][] = [
  ['SSH_CONNECTION=192.0.2.7 50222 192.0.2.1 22', '192.0.2.7', 50222],
  ['SSH_CLIENT=2001:db8::7 50222 22', '2001:db8::7', 50222],
  ['SSH_CONNECTION=fe80::1%eth0 50222 fe80::2 22', 'fe80::1', 50222],
  ['SSH_CONNECTION=192.0.2.7 99999 192.0.2.1 22', '192.0.2.7', undefined],
  ['SSH_CONNECTION=UNKNOWN 65535 UNKNOWN 65535', undefined, undefined],
  ['SSH_CONNECTION=192.0.2.7', undefined, undefined],
  ['XSSH_CONNECTION=192.0.2.7 50222 192.0.2.1 22', undefined, undefined],
  ['SSH_CONNECTION=\u001b[31m 50222 192.0.2.1 22', undefined, undefined],
]

for (const [variable, address, port] of ADDRESSES) {
  test(`the peer of ${JSON.stringify(variable)} is ${address}`, () => {
    const table = new Table(login)
    table.environment = ['PATH=/bin', variable]
    table.settled()
    const origin = table.peek(12)?.origin
    assert.deepEqual([origin?.type, origin?.address, origin?.port], ['sshd', address, port])
  })
}

test('later programs of a login cannot replace its address', () => {
  const table = new Table(login)
  table.environment = ['SSH_CONNECTION=192.0.2.7 50222 192.0.2.1 22']
  table.settled()
  const shell = table.peek(12) as ProcessRecord
  table.environment = ['SSH_CONNECTION=203.0.113.9 1 192.0.2.1 22']
  const { origin } = shell
  settleOrigin(shell, table)
  assert.equal(shell.origin, origin)
  assert.equal(shell.origin?.address, '192.0.2.7')
})

test('a process keeps its origin when its parents end', () => {
  const table = new Table({ ...login, 13: { ppid: 12, sid: 12, exe: SHELL } })
  table.settled()
  const job = table.peek(13) as ProcessRecord
  job.ppid = 1
  settleOrigin(job, table)
  assert.equal(job.origin?.pid, 12)
})
