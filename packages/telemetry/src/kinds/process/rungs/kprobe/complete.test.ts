import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { completeFromProc } from './complete.js'

const LIMITS = { maxArgvBytes: 1 << 20, maxEnvBytes: 10 }
const cmdline = readFileSync('/proc/self/cmdline')
const environ = readFileSync('/proc/self/environ')

function complete(fields: Record<string, unknown>): { left: string[]; fields: Record<string, unknown> } {
  const own = { pid: process.pid, argvBytes: cmdline.length, envBytes: environ.length, ...fields }
  const cut = Object.keys(fields).filter((name) => ['cwd', 'exe', 'argv', 'env'].includes(name))
  return { left: completeFromProc(own, cut, LIMITS), fields: own }
}

function pathOf(text: string) {
  return { path: Buffer.from(text), truncated: true, deleted: false }
}

test('a path becomes whole when the known part is its end', () => {
  const leaf = process.execPath.slice(process.execPath.lastIndexOf('/'))
  const { left, fields } = complete({ exe: pathOf(leaf), cwd: pathOf(process.cwd()) })
  assert.deepEqual(left, [])
  const { path, root, truncated } = fields['exe'] as { path: Buffer; root: Buffer; truncated: boolean }
  assert.deepEqual([String(path), String(root), truncated], [process.execPath, '/', false])
})

test('another path, a part of a name and a process that is gone stay as they were', () => {
  assert.deepEqual(complete({ exe: pathOf('/other/program') }).left, ['exe'])
  assert.deepEqual(complete({ exe: pathOf('/ode') }).left, ['exe'])
  assert.deepEqual(complete({ pid: 0, exe: pathOf('/node') }).left, ['exe'])
})

test('bytes become whole when they begin with the known ones and their number is right', () => {
  const { left, fields } = complete({ argv: cmdline.subarray(0, 3) })
  assert.deepEqual(left, [])
  assert.deepEqual(Buffer.from(fields['argv'] as Uint8Array), cmdline)
  assert.deepEqual(complete({ argv: Buffer.from('###') }).left, ['argv'])
  assert.deepEqual(complete({ argv: cmdline.subarray(0, 3), argvBytes: cmdline.length + 1 }).left, ['argv'])
})

test('of more bytes than may be kept, one too many is passed on, which marks the cut', () => {
  const { left, fields } = complete({ env: environ.subarray(0, 2) })
  assert.deepEqual(left, [])
  assert.deepEqual(fields['env'], Buffer.concat([environ.subarray(0, 10), Buffer.alloc(1)]))
})
