// Tests a program that takes events, without rights and without a kernel that is watched.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeMachine } from 'quark-telemetry/testing'

/** What is to be tested: who starts a shell below a web server. */
async function shellsOf(quark, server) {
  const found = []
  for await (const { kind, process } of quark) {
    if (kind === 'process' && process.exe === '/bin/sh' && process.ppid === server)
      found.push(process.argv.join(' '))
  }
  return found
}

test('a shell of the web server is found, and no other one', async () => {
  const machine = new FakeMachine()
  const server = machine.fork({ comm: 'nginx', uid: 33 })
  machine.run({ exe: '/bin/sh', argv: ['sh', '-c', 'id'] }, { ppid: server })
  machine.run({ exe: '/bin/sh', argv: ['sh', '-c', 'make'] })
  machine.end()
  assert.deepEqual(await shellsOf(machine.quark, server), ['sh -c id'])
})
