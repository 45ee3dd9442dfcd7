import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
} from 'node:fs'
import { rmSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import koffi from 'koffi'
import type { RecordOf } from '../probe/index.js'
import type { ProbeSession } from './session.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { kernelTest } from '../testing/kernel-test.js'
import { drainRecords, execProbe, openSession, WAYS } from '../testing/process-probes.js'

expectNoLeaks()

const PLAIN = { truncated: false, deleted: false }
const top = realpathSync(mkdtempSync(join(tmpdir(), 'paths-')))
after(() => rmSync(top, { recursive: true }))

const truePath = realpathSync('/bin/true')
const deep40 = join(top, ...numbered(40))
const deep200 = join(top, ...numbered(200))
const longName = join(top, 'n'.repeat(255))
const jail = join(top, 'jail')
for (const directory of [
  deep200,
  longName,
  jail,
  join(top, 'from/inner'),
  join(top, 'onto'),
  join(top, 'bin'),
]) {
  mkdirSync(directory, { recursive: true })
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `d${i}`)
}

type ExecRecord = RecordOf<typeof execProbe.record>

/** The record of a command's last execve(2). */
function execOf(session: ProbeSession, command: string, args: readonly string[], cwd = '/'): ExecRecord {
  const { pid, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  const record = drainRecords(session, execProbe).findLast((candidate) => candidate.pid === pid)
  assert.ok(record !== undefined, `no record of ${command}: ${stderr}`)
  return record
}

/** As `execOf`, for a shell script in a mount namespace of its own. */
function execApart(session: ProbeSession, script: string): ExecRecord {
  return execOf(session, 'unshare', ['-m', 'sh', '-c', script])
}

for (const way of WAYS) {
  const minKernel = way.loop === 'helper' ? '5.17' : '5.8'
  const named = `${way.flavor}, ${way.loop}`

  kernelTest(`the path of a directory is the one that /proc shows (${named})`, minKernel, () => {
    using session = openSession(way)
    session.attach(execProbe)
    for (const cwd of ['/', '/proc/self/task', top, deep40, longName]) {
      const expected = cwd === '/proc/self/task' ? /^\/proc\/\d+\/task$/ : cwd
      const { cwd: recorded } = execOf(session, 'true', [], cwd)
      if (typeof expected === 'string') assert.deepEqual(recorded, { path: expected, root: '/', ...PLAIN })
      else assert.match(recorded?.path ?? '', expected)
    }
    assert.deepEqual(execOf(session, 'true', []).exe, { path: truePath, root: '/', ...PLAIN })
  })

  kernelTest(`a path of many components is whole, or marked as cut (${named})`, minKernel, () => {
    using session = openSession(way)
    session.attach(execProbe)
    const { cwd } = execOf(session, 'true', [], deep200)
    const whole = { path: deep200, root: '/', ...PLAIN }
    const cut = { path: `/${numbered(200).slice(-128).join('/')}`, truncated: true, deleted: false }
    assert.deepEqual(cwd, way.loop === 'helper' ? whole : cut)
  })

  kernelTest(`a path crosses mounts (${named})`, minKernel, () => {
    using session = openSession(way)
    session.attach(execProbe)
    const bound = execApart(
      session,
      `mount --bind ${top}/from ${top}/onto && cd ${top}/onto/inner && exec true`,
    )
    assert.deepEqual(bound.cwd, { path: `${top}/onto/inner`, root: '/', ...PLAIN })
    const atMount = execApart(
      session,
      `mount -t tmpfs none ${top}/onto && mount --bind ${top}/from ${top}/onto && cd ${top}/onto && exec true`,
    )
    assert.deepEqual(atMount.cwd, { path: `${top}/onto`, root: '/', ...PLAIN })
  })

  kernelTest(`a path begins at the root of its process (${named})`, minKernel, () => {
    using session = openSession(way)
    session.attach(execProbe)
    const mounts = `mount --bind / ${jail} && mount --bind /proc ${jail}/proc`
    const inside = execApart(session, `${mounts} && exec chroot ${jail} sh -c 'cd /usr && exec true'`)
    assert.deepEqual(inside.cwd, { path: '/usr', root: jail, ...PLAIN })
    assert.deepEqual(inside.exe, { path: truePath, root: jail, ...PLAIN })
    const atRoot = execApart(session, `${mounts} && exec chroot ${jail} true`)
    assert.deepEqual(atRoot.cwd, { path: '/', root: jail, ...PLAIN })
    // A file that was opened before lies outside of the new root.
    const outside = execApart(
      session,
      `${mounts} && exec 7<${truePath} && exec chroot ${jail} sh -c 'exec /proc/self/fd/7'`,
    )
    assert.deepEqual(outside.exe, { path: truePath, ...PLAIN })
  })

  kernelTest(`what was deleted is marked (${named})`, minKernel, () => {
    using session = openSession(way)
    session.attach(execProbe)
    const program = join(top, 'bin/gone')
    copyFileSync(truePath, program)
    const fd = openSync(program, 'r')
    unlinkSync(program)
    const { exe } = execOf(session, `/proc/${process.pid}/fd/${fd}`, [])
    closeSync(fd)
    assert.deepEqual(exe, { path: program, root: '/', truncated: false, deleted: true })
    const { cwd } = execOf(session, 'sh', ['-c', 'mkdir x && cd x && rmdir ../x && exec true'], top)
    assert.deepEqual(cwd, { path: `${top}/x`, root: '/', truncated: false, deleted: true })
  })

  kernelTest(`a file without a place has its name (${named})`, minKernel, () => {
    using session = openSession(way)
    session.attach(execProbe)
    const create = koffi.load('libc.so.6').func('int memfd_create(const char *name, unsigned int flags)')
    const fd = create('in memory', 0) as number
    writeSync(fd, readFileSync(truePath))
    const { exe } = execOf(session, `/proc/${process.pid}/fd/${fd}`, [])
    closeSync(fd)
    assert.deepEqual(exe, { path: 'memfd:in memory', ...PLAIN })
  })
}
