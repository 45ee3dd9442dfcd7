import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { COMMAND } from '../testing/command.js'
import { parseStartState } from './start-state.js'

const UNKNOWN = { ignored: [], blocked: 0n, descriptorLimit: undefined, descriptors: [] }

test('the state has signals, limit and descriptors', () => {
  assert.deepEqual(parseStartState('0000000000001001:8000000000000200:1024: 3 7 63'), {
    ignored: [1, 13],
    blocked: 0x8000_0000_0000_0200n,
    descriptorLimit: 1024,
    descriptors: [3, 7, 63],
  })
  assert.equal(parseStartState('0000000000000000:0000000000000000:unlimited:').descriptorLimit, undefined)
  assert.deepEqual(parseStartState('0000000000000000:0000000000000000:: 0 2 99999').descriptors, [])
})

test('anything else is no state', () => {
  for (const text of [undefined, '', 'x', '1:2:3:4', `${'0'.repeat(16)}:${'g'.repeat(16)}:1:`]) {
    assert.deepEqual(parseStartState(text), UNKNOWN)
  }
})

test('the head of the command, which is a program of sh(1), hands the state over and changes nothing else', () => {
  const head = readFileSync(COMMAND, 'utf8').replace(/^exec node .*/m, 'printf "%s" "$QUARK_MON_START"; exit')
  for (const shell of ['dash', 'bash', 'busybox']) {
    const args = shell === 'busybox' ? ['sh', '-c', head] : ['-c', head]
    const inner = `trap '' HUP; ulimit -Sn 300; exec 7</dev/null; exec "$@"`
    const { stdout, error } = spawnSync('sh', ['-c', inner, 'sh', shell, ...args], { encoding: 'utf8' })
    assert.equal(error, undefined)
    // Not every machine has all of these shells.
    if (stdout === '') continue
    const { ignored, descriptorLimit, descriptors } = parseStartState(stdout)
    assert.ok(ignored.includes(1), stdout)
    assert.equal(descriptorLimit, 300)
    assert.ok(descriptors.includes(7), stdout)
    return
  }
  assert.fail('no shell could run it')
})
