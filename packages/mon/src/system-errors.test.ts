import assert from 'node:assert/strict'
import { openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import test from 'node:test'
import { errorText } from './report.js'
import { withoutCodes } from './system-errors.js'

function messageOf(step: () => unknown): string {
  try {
    step()
  } catch (error) {
    return (error as Error).message
  }
  return assert.fail('nothing is wrong')
}

test('an error of the file system becomes a sentence that says what to do', () => {
  assert.equal(
    withoutCodes(messageOf(() => openSync('/nonexistent/file', 'w'))),
    'Cannot open /nonexistent/file: there is no such file or directory (ENOENT; check the path)',
  )
  assert.equal(withoutCodes(messageOf(() => readFileSync('/'))), 'it is a directory (EISDIR; give a file)')
  assert.equal(
    withoutCodes(messageOf(() => openSync('/proc/version/x', 'r'))),
    'Cannot open /proc/version/x: a part of the path is not a directory (ENOTDIR; check the path)',
  )
  assert.equal(
    withoutCodes("EXDEV: cross-device link not permitted, rename '/a' -> '/b'"),
    "EXDEV: cross-device link not permitted, rename '/a' -> '/b'",
  )
})

test('inside of another message it says what was wrong, and the rest stays', () => {
  assert.equal(
    withoutCodes('Cannot read recording "/x y": EACCES: permission denied, open \'/x y\' at byte 0'),
    'Cannot read recording "/x y": permission is denied (EACCES; run it as root, or give a path that you may use) at byte 0',
  )
  assert.equal(
    withoutCodes('ENOSPC: no space left on device, write'),
    'no space is left on the device (ENOSPC; make room)',
  )
  for (const text of ['Cannot watch processes: ebpf: EPERM', 'Option "x" must be a path: 5', '']) {
    assert.equal(withoutCodes(text), text)
  }
})

test('what a message says already is not said again as its cause', () => {
  const cause = new Error("ENOENT: no such file or directory, open '/x'")
  assert.equal(
    errorText(new Error(`Cannot read "/x": ${cause.message}`, { cause }), false),
    'quark-mon: Cannot read "/x": there is no such file or directory (ENOENT; check the path)\n',
  )
})

test('an address that cannot be had is named', async (t) => {
  const first = createServer().listen(0, '127.0.0.1')
  t.after(() => first.close())
  await new Promise((resolve) => first.once('listening', resolve))
  const { port } = first.address() as { port: number }
  const error = await new Promise<Error>((resolve) =>
    createServer().once('error', resolve).listen(port, '127.0.0.1'),
  )
  assert.equal(
    withoutCodes(error.message),
    `Cannot listen at 127.0.0.1:${port}: something listens there already (EADDRINUSE; end it, or give another address)`,
  )
})
