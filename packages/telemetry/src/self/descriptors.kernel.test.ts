import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import test from 'node:test'
import { isOpenedHere } from './descriptors.js'

const MODULE = new URL('descriptors.js', import.meta.url).href
/** Exits by whether a descriptor was opened there: 10 yes, 11 no, 12 unknown. */
const PROGRAM = `import { isOpenedHere } from ${JSON.stringify(MODULE)}
const isOwn = isOpenedHere(Number(process.argv[1]))
process.exit(isOwn === undefined ? 12 : isOwn ? 10 : 11)`

function answerOf(fd: number, shell: string): number | null {
  const args = ['-c', shell, process.execPath, '--input-type=module', '-e', PROGRAM, '--', `${fd}`]
  return spawnSync('sh', args, { stdio: ['ignore', 'pipe', 'inherit'] }).status
}

test('isOpenedHere() knows what this process opened, and what it was given', (t) => {
  const fd = openSync('/dev/null', 'r+')
  const isOwn = isOpenedHere(fd)
  closeSync(fd)
  if (isOwn === undefined) {
    t.skip('this kernel has no walk through open files')
    return
  }
  assert.equal(isOwn, true)
  assert.equal(answerOf(1, '"$0" "$@"'), 11)
  // The engine fills in what is closed; who opens the same file before is told apart.
  assert.equal(answerOf(1, '"$0" "$@" >&-'), 10)
  assert.equal(answerOf(1, '"$0" "$@" 1<>/dev/null'), 11)
})

test('isOpenedHere() does not know what nobody has opened', () => {
  assert.equal(isOpenedHere(999_999), undefined)
})
