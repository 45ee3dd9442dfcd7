import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Process } from '../../process/process.js'
import { Quark } from '../../quark.js'
import { collectUntilExit } from '../../testing/scenario.js'

const HAS_AUDIT = existsSync('/proc/self/loginuid')
const NONE = 4_294_967_295

/** The login of a process that exists, as /proc shows it. */
function shown(pid: number): (number | undefined)[] {
  return ['loginuid', 'sessionid'].map((name) => {
    const number = HAS_AUDIT ? Number(readFileSync(`/proc/${pid}/${name}`, 'utf8')) : NONE
    return number === NONE ? undefined : number
  })
}

function loginOf(process: Process | undefined): (number | undefined)[] {
  return [process?.loginUid, process?.auditSession]
}

test(
  'a process has the login that /proc shows, whether it was there or begins',
  { timeout: 60_000 },
  async () => {
    // A service that logs somebody in sets it; what it starts inherits it.
    const login = HAS_AUDIT ? 'echo 4711 > /proc/self/loginuid;' : ''
    const before = spawn('/bin/sh', ['-c', `${login} echo ready; read end`], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    await once(before.stdout, 'data')
    await using quark = await Quark.open({ backends: ['ebpf'], snapshot: true })
    const there = shown(before.pid ?? 0)
    assert.deepEqual(loginOf(quark.lookup(before.pid ?? 0)), there)
    assert.deepEqual(loginOf(quark.lookup(process.pid)), shown(process.pid))
    before.stdin.end()

    const child = spawn('/bin/sh', ['-c', `${login} /bin/true; exit 3`], { stdio: 'ignore' })
    const events = await collectUntilExit(quark, child.pid ?? 0)
    const inherited = events.filter(
      ({ process }) => process?.ppid === child.pid && process?.argv?.[0] === '/bin/true',
    )
    assert.ok(inherited.length > 0)
    const { missing } = quark.capabilities
    if (HAS_AUDIT) {
      for (const event of inherited) {
        assert.equal(event.process?.loginUid, 4711)
        assert.notEqual(event.process.auditSession, undefined)
      }
    } else {
      for (const event of inherited) assert.deepEqual(loginOf(event.process), [undefined, undefined])
      assert.ok(missing.some(({ fact }) => fact === 'exec.loginUid1'))
    }
  },
)
