import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { findOwn } from './own.js'

/** A tree as /proc has it: files of processes, and of masters the number of their terminal. */
function procOf(
  t: TestContext,
  processes: Readonly<Record<string, Record<number, string | number>>>,
): string {
  const proc = mkdtempSync(join(tmpdir(), 'proc-'))
  t.after(() => rmSync(proc, { recursive: true }))
  mkdirSync(join(proc, 'sys'))
  for (const [pid, files] of Object.entries(processes)) {
    for (const folder of ['fd', 'fdinfo']) mkdirSync(join(proc, pid, folder), { recursive: true })
    for (const [fd, file] of Object.entries(files)) {
      symlinkSync(typeof file === 'number' ? '/dev/ptmx' : file, join(proc, pid, 'fd', fd))
      writeFileSync(join(proc, pid, 'fdinfo', fd), `pos:\t0\nflags:\t02\ntty-index:\t${file}\n`)
    }
  }
  return proc
}

const own = String(process.pid)

test('who has the other side of this process’s terminal is found, and who has that of theirs', (t) => {
  const proc = procOf(t, {
    [own]: { 0: '/dev/null', 1: '/dev/pts/5' },
    // A multiplexer on a terminal of its own, which an ssh server has.
    1001: { 0: '/dev/pts/2', 7: 5, 8: 6 },
    1002: { 3: 2, 4: 'socket:[7]' },
    // Others.
    1003: { 3: 9 },
    1004: { 1: '/dev/pts/9' },
  })
  const { pid, relays } = findOwn(proc)
  assert.deepEqual([pid, relays], [process.pid, [1001, 1002]])
})

test('without a terminal there is nobody, and circles end', (t) => {
  assert.deepEqual(findOwn(procOf(t, { [own]: { 1: 'pipe:[3]' }, 1001: { 3: 5 } })).relays, [])
  const circle = procOf(t, {
    [own]: { 2: '/dev/pts/5' },
    1001: { 1: '/dev/pts/6', 3: 5 },
    1002: { 1: '/dev/pts/5', 3: 6 },
  })
  assert.deepEqual(findOwn(circle).relays, [1001, 1002])
  assert.deepEqual(findOwn('/nowhere').relays, [])
})
