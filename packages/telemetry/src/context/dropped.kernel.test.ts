import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const DROPPED = `
const [users, privileges, folder] = process.argv.slice(1)
const { UserNames } = await import(users)
const { dropPrivileges } = await import(privileges)
const names = new UserNames({
  passwdPath: folder + '/passwd',
  groupPath: folder + '/group',
  services: { nsswitchPath: folder + '/nsswitch.conf', command: folder + '/getent' },
})
names.prepareToDrop()
dropPrivileges('nobody', folder + '/empty')
const end = performance.now() + 20000
let found
while (found === undefined && performance.now() < end) {
  found = names.userName(5000)
  await new Promise((resolve) => setTimeout(resolve, 50))
}
console.log(process.getuid(), names.userName(7), found)
names.close()
`

test('after privileges are given up, names of files are known, and those of name services are asked for', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'quark-dropped-'))
  t.after(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'empty'))
  writeFileSync(join(folder, 'passwd'), 'local:x:7:7::/:/bin/sh\n')
  writeFileSync(join(folder, 'group'), '')
  writeFileSync(join(folder, 'nsswitch.conf'), 'passwd: files ldap\ngroup: files\n')
  writeFileSync(join(folder, 'getent'), '#!/bin/sh\n[ "$*" = "passwd 5000" ] && echo "ann:x:5000:1::/:"\n')
  chmodSync(join(folder, 'getent'), 0o755)
  const modules = ['./users.js', '../self/privileges.js'].map((path) => new URL(path, import.meta.url).href)
  const args = ['--input-type=module', '-e', DROPPED, ...modules, folder]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
  assert.equal(stdout, '65534 local ann\n', stderr)
})
