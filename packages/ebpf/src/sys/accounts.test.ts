import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import test from 'node:test'
import { accountNamed, accountOf, groupsOf } from './accounts.js'

test('an account is found by its id and by its name, as id(1) shows it', () => {
  const root = accountOf(0)
  assert.equal(root?.name, 'root')
  assert.equal(root?.uid, 0)
  assert.match(root?.home ?? '', /^\//)
  assert.match(root?.shell ?? '', /^\//)
  assert.deepEqual(accountNamed('root'), root)
  assert.equal(spawnSync('id', ['-g', 'root'], { encoding: 'utf8' }).stdout.trim(), `${root?.gid}`)
})

test('groups are those of id(1)', () => {
  for (const name of ['root', 'daemon']) {
    const account = accountNamed(name)
    assert.ok(account !== undefined)
    const { stdout } = spawnSync('id', ['-G', name], { encoding: 'utf8' })
    assert.deepEqual(new Set(groupsOf(account)), new Set(stdout.trim().split(' ').map(Number)))
  }
})

test('who has no account is not found', () => {
  assert.equal(accountOf(3_999_999_999), undefined)
  assert.equal(accountNamed('no such user here'), undefined)
})
