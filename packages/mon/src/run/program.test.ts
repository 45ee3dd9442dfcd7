import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { CommandError, execError, isScript, isTriedFurther, programFiles } from './program.js'

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'quark-mon-program-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}

function refused(name: string, path: string | undefined): [status: number, message: string] {
  try {
    programFiles(name, path)
  } catch (error) {
    assert.ok(error instanceof CommandError)
    assert.equal(error.code, 'ERR_QUARK_MON_COMMAND')
    return [error.status, error.message]
  }
  throw new Error(`${name} was found`)
}

test('a name is looked for in PATH, one with a slash is a file', (t) => {
  const path = folder(t)
  writeFileSync(join(path, 'program'), '', { mode: 0o755 })
  assert.deepEqual(programFiles('program', `/nowhere:${path}:`), [
    '/nowhere/program',
    join(path, 'program'),
    'program',
  ])
  assert.deepEqual(programFiles(join(path, 'program'), '/nowhere'), [join(path, 'program')])
  assert.deepEqual(programFiles('sh', undefined), ['/bin/sh', '/usr/bin/sh'])
})

test('what does not exist is 127, what cannot be executed 126, and the message says why', (t) => {
  const path = folder(t)
  writeFileSync(join(path, 'text'), '', { mode: 0o644 })
  mkdirSync(join(path, 'folder'))
  assert.deepEqual(refused('nothing', path), [
    127,
    'Cannot run "nothing": no folder of PATH has such a program',
  ])
  assert.deepEqual(refused('./no/thing', path), [
    127,
    'Cannot run "./no/thing": there is no such file, or not its interpreter',
  ])
  assert.deepEqual(refused('', path), [127, 'Cannot run "": it has no name'])
  assert.deepEqual(refused('\u001b[2J', path), [
    127,
    'Cannot run "\\x1b[2J": no folder of PATH has such a program',
  ])
  const [status, message] = refused('text', path)
  assert.equal(status, 126)
  assert.match(message, /^Cannot run "text": it is not executable/)
  assert.deepEqual(refused(join(path, 'folder'), path), [
    126,
    `Cannot run "${join(path, 'folder')}": it is a folder`,
  ])
  chmodSync(join(path, 'text'), 0o010)
  assert.equal(programFiles('text', path).length, 1)
})

test('errors of an exec are those of execvp(3): which are tried further, and which end as what', () => {
  const { EACCES, ENOENT, ENOEXEC, E2BIG, ENOTDIR } = constants.errno
  assert.deepEqual([EACCES, ENOENT, ENOTDIR, ENOEXEC, E2BIG].map(isTriedFurther), [
    true,
    true,
    true,
    false,
    false,
  ])
  assert.equal(isScript(ENOEXEC), true)
  assert.equal(execError('a', ENOENT).status, 127)
  assert.equal(execError('a', E2BIG).status, 126)
  assert.match(execError('a', E2BIG).message, /longer than the kernel allows$/)
  assert.match(execError('a', 999).message, /its exec failed with errno 999$/)
})
