import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
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
    const prober = shell(
      `read a < /proc/${target.pid}/environ; read a < /proc/${target.pid}/task/${target.pid}/environ; read a < /proc/self/environ`,
    )
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
    assert.deepEqual(
      of(prober),
      ['', `/task/${target.pid}`].map(
        (thread) => `open /proc/${target.pid}${thread}/environ read ${target.pid}`,
      ),
    )
    assert.equal(events.find(({ pid }) => pid === prober)?.target?.comm, 'sleep')
    // Those of cat, which the shell began.
    assert.deepEqual(
      events.filter(({ process }) => process?.comm === 'cat').map(({ action }) => action),
      ['denied'],
    )
  },
)

test('what was asked for, reached through another mount and through symbolic links', async (t) => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'quark-access-')))
  t.after(() => {
    spawnSync('umount', ['-l', join(root, 'host')])
    rmSync(root, { recursive: true })
  })
  for (const name of ['host', 'etc', 'etc/keys', 'etc/below', 'homes', 'homes/a', 'homes/a/.aws'])
    mkdirSync(join(root, name))
  for (const name of [
    'etc/secret',
    'etc/other',
    'etc/keys/a.key',
    'etc/keys/a.txt',
    'etc/below/f',
    'homes/a/.aws/c',
  ])
    writeFileSync(join(root, name), 'x')
  symlinkSync('homes', join(root, 'home'))
  symlinkSync('etc/secret', join(root, 'link'))
  const { status, stderr } = spawnSync('mount', ['--bind', root, join(root, 'host')], { encoding: 'utf8' })
  if (status !== 0) return t.skip(`directories cannot be mounted here: ${stderr}`)
  const names = ['link', 'etc/keys/*.key', 'etc/below', 'home/*/.aws']
  const fileAccess = names.map((name) => join(root, name))
  const quark = await Quark.open({ fileAccess, backends: ['ebpf'], where: { treeOf: process.pid } })
  const { pid } = spawnSync(
    'sh',
    [
      '-c',
      `cd host; for f in etc/*; do [ -d $f ] || read a < $f; done
      for f in etc/keys/a.key etc/keys/a.txt etc/below/f home/a/.aws/c; do read a < $f; done`,
    ],
    { cwd: root, stdio: 'ignore' },
  )
  const events = quark.finish().filter(isAccess)
  await quark.close()
  assert.deepEqual(
    events.filter((event) => event.pid === pid).map(({ path }) => path.replace(`${root}/`, '')),
    ['host/etc/secret', 'host/etc/keys/a.key', 'host/etc/below/f', 'host/homes/a/.aws/c'],
  )
})

test('a process with another root directory', async (t) => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'quark-access-')))
  t.after(() => rmSync(root, { recursive: true }))
  chmodSync(root, 0o755)
  mkdirSync(join(root, 'etc'))
  for (const name of ['etc/shadow', 'etc/hosts'])
    writeFileSync(join(root, name), 'x', { mode: name === 'etc/hosts' ? 0o600 : 0o644 })
  const fileAccess = [join(root, 'etc/shadow'), join(root, 'etc/hosts'), '/etc/hosts']
  const quark = await Quark.open({ fileAccess, backends: ['ebpf'], where: { treeOf: process.pid } })
  const { pid, status } = spawnSync('python3', [
    '-c',
    `import os\nos.chroot(${JSON.stringify(root)}); os.chdir('/'); open('/etc/shadow').close(); open('etc/../etc/shadow')
os.setuid(65534)\ntry: open('/etc/hosts')\nexcept PermissionError: pass`,
  ])
  const events = quark.finish().filter(isAccess)
  await quark.close()
  if (status !== 0) return t.skip('there is no Python')
  assert.deepEqual(
    events
      .filter((event) => event.pid === pid)
      .map(({ action, path }) => `${action} ${path.replace(`${root}/`, '')}`),
    ['open etc/shadow', 'denied etc/hosts'],
  )
})
