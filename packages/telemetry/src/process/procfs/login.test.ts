import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readLogin } from './login.js'

const procPath = mkdtempSync(join(tmpdir(), 'quark-login-'))
after(() => rmSync(procPath, { recursive: true }))

function processWith(pid: number, files: Readonly<Record<string, string>>): number {
  mkdirSync(join(procPath, String(pid)))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(procPath, String(pid), name), text)
  return pid
}

test('a login is read as records have it: one more than the numbers, and 0 for none', () => {
  const login = (files: Readonly<Record<string, string>>, pid: number) =>
    readLogin(processWith(pid, files), procPath)
  assert.deepEqual(login({ loginuid: '1000', sessionid: '4' }, 1), { loginUid1: 1001, auditSession1: 5 })
  assert.deepEqual(login({ loginuid: '0', sessionid: '0' }, 2), { loginUid1: 1, auditSession1: 1 })
  const none = { loginUid1: 0, auditSession1: 0 }
  assert.deepEqual(login({ loginuid: '4294967295', sessionid: '4294967295' }, 3), none)
  // A kernel without audit, a process that has ended, and what is no number.
  assert.deepEqual(login({}, 4), none)
  assert.deepEqual(readLogin(5, procPath), none)
  assert.deepEqual(login({ loginuid: 'x', sessionid: '-1' }, 6), none)
})
