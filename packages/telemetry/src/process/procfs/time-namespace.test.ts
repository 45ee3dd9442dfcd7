import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { bootOffsetNs, parseBootOffset } from './time-namespace.js'

test('the offset of a time namespace is that of its boot clock', (t) => {
  const proc = mkdtempSync(join(tmpdir(), 'quark-timens-'))
  t.after(() => rmSync(proc, { recursive: true }))
  mkdirSync(join(proc, 'self'))
  writeFileSync(
    join(proc, 'self/timens_offsets'),
    'monotonic           5         7\nboottime      -3600 500000000\n',
  )
  assert.equal(bootOffsetNs(proc), -3_599_500_000_000n)
  assert.equal(bootOffsetNs(join(proc, 'none')), 0n)
})

test('without a whole line of the boot clock there is no offset', () => {
  for (const text of ['', 'boottime', 'boottime x 0\n', 'monotonic 5 0\n', 'boottime 1 2 3\n'])
    assert.equal(parseBootOffset(text), 0n)
})
