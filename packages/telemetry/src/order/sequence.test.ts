import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SequenceTracker } from './sequence.js'

test('a gap in the numbers of a CPU is a loss, each CPU by itself', () => {
  const tracker = new SequenceTracker()
  const missing = [
    [0, 1],
    [3, 1],
    [0, 2],
    [0, 5],
    [3, 2],
    [0, 6],
  ].map(([cpu, seq]) => tracker.missingBefore(cpu as number, seq as number))
  assert.deepEqual(missing, [0, 0, 0, 2, 0, 0])
})

test('records lost before the first one of a CPU are missed', () => {
  assert.equal(new SequenceTracker().missingBefore(1, 4), 3)
})

test('numbers wrap at 32 bits', () => {
  const tracker = new SequenceTracker()
  // Too far ahead to be a gap: each jump is less than half of the numbers.
  tracker.missingBefore(0, 0x7fffffff)
  tracker.missingBefore(0, 0xfffffffe)
  assert.equal(tracker.missingBefore(0, 0xffffffff), 0)
  assert.equal(tracker.missingBefore(0, 0), 0)
  assert.equal(tracker.missingBefore(0, 3), 2)
})

test('a record that comes late is no loss and hides none', () => {
  const tracker = new SequenceTracker()
  assert.equal(tracker.missingBefore(0, 2), 1)
  assert.equal(tracker.missingBefore(0, 1), 0)
  assert.equal(tracker.missingBefore(0, 3), 0)
  assert.equal(tracker.missingBefore(0, 5), 1)
})

test('a broken record counts only with the expected number', () => {
  const tracker = new SequenceTracker()
  tracker.missingBefore(0, 1)
  tracker.noteBroken(0, 2)
  assert.equal(tracker.missingBefore(0, 3), 0)
  tracker.noteBroken(0, 77)
  tracker.noteBroken(9, 1)
  assert.equal(tracker.missingBefore(0, 4), 0)
})

test('missingUpTo() finds the losses that no later record shows', () => {
  const tracker = new SequenceTracker()
  tracker.missingBefore(0, 1)
  assert.deepEqual(
    [tracker.missingUpTo(0, 1), tracker.missingUpTo(0, 4), tracker.missingUpTo(0, 4)],
    [0, 3, 0],
  )
  assert.equal(tracker.missingUpTo(5, 0), 0)
  assert.equal(tracker.missingBefore(0, 5), 0)
  assert.equal(tracker.missingBefore(0, 7), 1)
  assert.equal(tracker.missingUpTo(0, 2 ** 32 + 9), 2)
})
