import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KeptServices } from './kept-services.js'
import { NameServices } from './nss.js'

const top = mkdtempSync(join(tmpdir(), 'quark-nss-'))
after(() => rmSync(top, { recursive: true }))

/** A getent that knows 5000 and 5001, and notes how it was called. */
function getent(name: string, body: string): string {
  const path = join(top, name)
  writeFileSync(path, `#!/bin/sh\necho "$@" >> ${path}.calls\n${body}\n`)
  chmodSync(path, 0o755)
  return path
}

function nsswitch(text: string): string {
  const path = join(top, `nsswitch-${text.length}`)
  writeFileSync(path, text)
  return path
}

const LDAP = nsswitch('# comment\npasswd: files [NOTFOUND=continue] ldap # more\ngroup: files\n')
const KNOWS =
  'for id in "$@"; do case $id in 5000) echo "ann:x:5000:1::/:";; 5001) echo "bob:x:5001:1::/:";; esac; done; exit 2'

const callsOf = (path: string): string[] =>
  existsSync(`${path}.calls`) ? readFileSync(`${path}.calls`, 'utf8').trim().split('\n') : []

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i++) await sleep(10)
  assert.ok(holds())
}

test('ids that files do not know are asked for, each once, and known later', async () => {
  const command = getent('knows', KNOWS)
  let now = 0
  const names = new NameServices('passwd', { nsswitchPath: LDAP, command, nowMs: () => now })
  assert.equal(names.nameOf(5000), undefined)
  await until(() => names.nameOf(5000) === 'ann')
  for (const id of [5001, 7, 5001]) names.nameOf(id)
  now = 1000
  names.nameOf(7)
  await until(() => names.nameOf(5001) === 'bob')
  assert.equal(names.nameOf(7), undefined)
  assert.deepEqual(callsOf(command), ['passwd 5000', 'passwd 5001 7'])
  // What was answered long ago is asked for again, and shown meanwhile.
  now = 700_000
  assert.equal(names.nameOf(5000), 'ann')
  await until(() => callsOf(command).length === 3)
})

test('nobody is asked where files are all that there is, or nothing is said', async () => {
  const command = getent('unasked', KNOWS)
  for (const nsswitchPath of [LDAP, join(top, 'missing')]) {
    const names = new NameServices('group', { nsswitchPath, command, nowMs: () => 0 })
    assert.equal(names.nameOf(5000), undefined)
  }
  await sleep(100)
  assert.deepEqual(callsOf(command), [])
})

test('an answer that never comes, is garbage, or cannot be had delays nothing', async () => {
  const slow = getent('slow', 'sleep 2')
  const garbage = getent(
    'garbage',
    'head -c 100000 /dev/zero; echo; echo "\\033[31m:x:nine:"; echo "x:y:5000"',
  )
  for (const command of [slow, garbage, join(top, 'missing')]) {
    let now = 0
    const names = new NameServices('passwd', { nsswitchPath: LDAP, command, nowMs: () => now })
    const begin = performance.now()
    for (let id = 5000; id < 105_000; id++) names.nameOf(id)
    assert.ok(performance.now() - begin < 1000)
    if (command === garbage) await until(() => names.nameOf(5000) === 'x')
    now = 1
  }
})

test('what was started before rights are given up answers as getent does, and takes nothing but ids', async (t) => {
  const command = getent('kept', KNOWS)
  const kept = new KeptServices(command)
  t.after(() => kept.close())
  const names = new NameServices('passwd', { nsswitchPath: LDAP, command: '/nowhere', nowMs: () => 0 })
  names.askBy(kept)
  assert.equal(names.nameOf(5000), undefined)
  await until(() => names.nameOf(5000) === 'ann')
  const outputs: (string | undefined)[] = []
  const ask = (database: string, ids: string): void =>
    kept.ask(database as 'passwd', [ids as unknown as number], (output) => outputs.push(output))
  ask('passwd', '-s /tmp')
  ask('passwd', '$(id)')
  ask('hosts', '1')
  ask('group', '5001')
  await until(() => outputs.length === 4)
  assert.deepEqual(outputs, ['', '', '', 'bob:x:5001:1::/:\n'])
  assert.deepEqual(callsOf(command), ['passwd 5000', 'group 5001'])
  kept.close()
  await until(() => {
    names.nameOf(5001)
    try {
      process.kill(kept.pid as number, 0)
      return false
    } catch {
      return true
    }
  })
})
