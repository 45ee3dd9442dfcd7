import assert from 'node:assert/strict'
import { fstatSync, openSync } from 'node:fs'
import { test } from 'node:test'
import { ClosedError } from '../errors.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { Fd } from './fd.js'

expectNoLeaks()

test('an Fd closes its descriptor once and is unusable afterwards', () => {
  const before = Fd.openCount()
  const fd = new Fd(openSync('/dev/null', 'r'), 'the null device')
  const number = fd.number
  assert.equal(Fd.openCount(), before + 1)
  assert.equal(fstatSync(number).isCharacterDevice(), true)

  fd.close()
  fd.close()
  assert.equal(Fd.openCount(), before)
  assert.equal(fd.closed, true)
  assert.throws(() => fstatSync(number), { code: 'EBADF' })
  assert.throws(
    () => fd.number,
    (error) => error instanceof ClosedError && /^the null device is closed$/.test(error.message),
  )
})

test('an Fd refuses what is no descriptor', () => {
  for (const number of [-1, 1.5, Number.NaN]) {
    assert.throws(() => new Fd(number, 'nothing'), RangeError)
  }
})
