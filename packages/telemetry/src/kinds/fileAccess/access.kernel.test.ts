import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Quark } from '../../quark.js'
import type { FileAccessEvent } from './events.js'

function isAccess(event: { readonly kind: string }): event is FileAccessEvent {
  return event.kind === 'fileAccess'
}

test(
  'who opens what was asked for, once per process and file, and who is denied to',
  { timeout: 60_000 },
  async (t) => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), 'quark-access-')))
    t.after(() => rmSync(root, { recursive: true }))
    const secret = join(root, 'secret')
    chmodSync(root, 0o755)
    writeFileSync(secret, 'x', { mode: 0o600 })
    writeFileSync(join(root, 'other'), 'x')
    mkdirSync(join(root, 'keys'))
    writeFileSync(join(root, 'keys', 'a.key'), 'x')
    writeFileSync(join(root, 'keys', 'a.txt'), 'x')
    const places = [secret, join(root, 'keys', '*.key'), '/proc/*/environ']
    const where = { treeOf: process.pid }
    const quark = await Quark.open({ fileAccess: places, backends: ['ebpf'], where })
    const target = spawn('sleep', ['60'])
    t.after(() => target.kill())
    await new Promise((resolve) => setTimeout(resolve, 100))
    const shell = (command: string, uid = 0): number =>
      spawnSync('sh', ['-c', command], { uid, cwd: root, stdio: 'ignore' }).pid
    const reader = shell(
      `read a < secret; read a < ./secret; read b < other; read c < keys/a.key; read d < keys/a.txt`,
    )
    const writer = shell(`: >> keys/a.key; : <> keys/a.key`)
    const denied = shell(`cat secret; read a < secret; read a < secret; true`, 65_534)
    // The file that has the name now.
    writeFileSync(join(root, 'new'), 'y')
    renameSync(join(root, 'new'), secret)
    const again = shell('read a < secret')
    const prober = shell(`read a < /proc/${target.pid}/environ; read a < /proc/self/environ`)
    const events = quark.finish().filter(isAccess)
    await quark.close()
    const of = (pid: number) =>
      events
        .filter((event) => event.pid === pid)
        .map(({ action, path, access, errno, target: whose }) =>
          [action, path.replace(`${root}/`, ''), access, errno, whose?.pid]
            .filter((part) => part !== undefined)
            .join(' '),
        )
    assert.deepEqual(of(reader), ['open secret read', 'open keys/a.key read'])
    assert.deepEqual(of(writer), ['open keys/a.key write'])
    assert.deepEqual(of(denied), ['denied secret read 13'])
    assert.deepEqual(of(again), ['open secret read'])
    assert.deepEqual(of(prober), [`open /proc/${target.pid}/environ read ${target.pid}`])
    assert.equal(events.find(({ pid }) => pid === prober)?.target?.comm, 'sleep')
    // Those of cat, which the shell began.
    assert.deepEqual(
      events.filter(({ process }) => process?.comm === 'cat').map(({ action }) => action),
      ['denied'],
    )
  },
)
