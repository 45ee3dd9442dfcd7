import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verdictOf } from './verdict.js'

const expected = ['connect outbound by parent', 'close outbound by parent, closed by child: 5/0']

test('a verdict tells what is right from what is left out, and both from what is wrong', () => {
  const rows = [
    { seen: expected, verdict: 'right', notes: [] },
    {
      seen: ['connect outbound by parent', 'close outbound by parent, closed by nobody: 5/0'],
      verdict: 'less',
      notes: ['closer'],
    },
    {
      seen: ['connect outbound by parent', 'close outbound by parent, closed by parent: 5/0'],
      verdict: 'wrong',
      notes: [
        'close outbound by parent, closed by parent: 5/0',
        'close outbound by parent, closed by child: 5/0',
      ],
    },
    { seen: expected.slice(0, 1), verdict: 'less', notes: expected.slice(1) },
    { seen: [...expected, ...expected], verdict: 'wrong', notes: expected },
  ]
  for (const { seen, ...verdict } of rows) assert.deepEqual(verdictOf(expected, seen), verdict)
})

test('an accept that is seen with the close says less than one that is seen at once', () => {
  const accepted = ['accept inbound by parent', 'close inbound by parent, closed by parent: 0/0']
  assert.deepEqual(verdictOf(accepted, ['accept+close inbound by parent, closed by parent: 0/0']), {
    verdict: 'less',
    notes: ['accept at once'],
  })
  assert.deepEqual(
    verdictOf(['failed by parent to ff02::1: 101'], ['failed by parent to ff02::1: unknown']),
    {
      verdict: 'less',
      notes: ['errno'],
    },
  )
})
