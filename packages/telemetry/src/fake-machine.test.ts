import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertContacted, assertOnly, assertRan, FakeMachine } from './assertions.js'
import { rulesOf } from './rule-sets.js'

test('what a test says is what a queue delivers, with all that belongs to it', () => {
  using machine = new FakeMachine()
  const shell = machine.fork({ uid: 1000, comm: 'bash', cwd: '/home/a' })
  const child = machine.fork({ ppid: shell })
  machine.exec(child, { exe: '/usr/bin/make', argv: ['make', '-j4'] })
  machine.exit(child, { code: 2 })
  const [first, second, ...others] = machine.events()
  assert.deepEqual(others, [])
  assert.equal(first?.process?.pid, shell)
  assert.ok(second?.kind === 'process')
  assert.deepEqual(second.actions, ['fork', 'exec', 'exit'])
  const { process } = second
  assert.deepEqual(
    [process.ppid, process.uid, process.exe, process.argv, process.cwd, process.exitCode],
    [shell, 1000, '/usr/bin/make', ['make', '-j4'], '/home/a', 2],
  )
  assert.equal(new Date(Number(second.timeNs / 1_000_000n)).getUTCFullYear(), 2024)
  assert.deepEqual(machine.events(), [], 'nothing comes twice')
})

test('the same happens each time', () => {
  const events = (): string => {
    using machine = new FakeMachine()
    machine.run({ exe: '/bin/true' })
    return JSON.stringify(machine.events())
  }
  assert.equal(events(), events())
})

test('connections, rules, filters and losses are those of any queue', () => {
  using machine = new FakeMachine({
    sockets: true,
    rules: rulesOf('drop on process.exe /bin/noise\ndrop on socket.port 22'),
    where: { event: ['process', 'connection'] },
  })
  machine.run({ exe: '/bin/noise' })
  const pid = machine.fork()
  machine.exec(pid, { exe: '/usr/bin/curl' })
  const close = machine.connect(pid, { remoteIp: '203.0.113.7', remotePort: 443 })
  machine.connect(pid, { remoteIp: '2001:db8::7', remotePort: 22 })
  close()
  machine.lose(3)
  const events = machine.events()
  const connections = events.filter((event) => event.kind === 'connection')
  assert.deepEqual(
    connections.map((event) => [event.remoteIp, event.remotePort, event.process?.exe, event.actions.join()]),
    [['203.0.113.7', 443, '/usr/bin/curl', 'connect,close']],
  )
  assert.ok(!events.some(({ process }) => process?.exe === '/bin/noise'))
  assert.throws(() => machine.connect(pid, { remoteIp: 'example.org', remotePort: 1 }), /is no address/)
  assert.throws(() => machine.exit(4), /There is no process 4 on this machine: fork it first/)
})

test('a loss is an event', () => {
  using machine = new FakeMachine()
  machine.run({ exe: '/bin/a' })
  machine.events()
  machine.lose(3)
  machine.run({ exe: '/bin/b' })
  const lost = machine.events().find((event) => event.kind === 'lost')
  assert.equal(lost?.kind === 'lost' ? lost.count : undefined, 3)
})

test('a program that iterates a queue gets all of it, and ends', async () => {
  using machine = new FakeMachine()
  const seen: (string | undefined)[] = []
  const consumer = (async () => {
    for await (const event of machine.quark) seen.push(event.process?.exe)
  })()
  machine.run({ exe: '/bin/a' })
  machine.advance(10_000)
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.deepEqual(seen, ['/bin/a'])
  machine.run({ exe: '/bin/b' })
  machine.end()
  await consumer
  assert.deepEqual(seen, ['/bin/a', '/bin/b'])
})

test('assertions are about its report, too', () => {
  using machine = new FakeMachine({ sockets: true, maxEnvBytes: 4096 })
  const env = { npm_package_name: 'left', npm_package_version: '1.0.0', npm_lifecycle_event: 'postinstall' }
  const pid = machine.fork()
  machine.exec(pid, { exe: '/usr/bin/node', argv: ['node', 'setup.js'], env })
  machine.connect(pid, { remoteIp: '203.0.113.7', remotePort: 443 })()
  machine.exit(pid)
  const report = machine.report({ command: ['npm', 'ci'] })
  assertRan(report, '*/node')
  assertContacted(report, '203.0.113.7:443')
  assert.throws(() => assertOnly(report, { contacted: [] }), /contacted 203\.0\.113\.7:443/)
  assert.match(JSON.stringify(report.steps), /left.*postinstall/)
})
