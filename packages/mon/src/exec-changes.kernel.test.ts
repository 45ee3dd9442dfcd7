import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Running } from './testing/command.js'

test('who wrote what is executed is seen after -D, in text and JSON', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'exec-changes-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const forms: [option: string, started: RegExp, seen: RegExp][] = [
    [
      '--json',
      /"kind":"start"/,
      /"execChange":\{"file":"program","relation":"session",[^{}]*"writerComm":"cp"/,
    ],
    ['--text', /^/, /\.\/copied copied-1 # .*written by cp\[\d+\]/],
  ]
  for (const [option, started, seen] of forms) {
    const running = new Running(['-D', '-q', option, '--exec-changes', '--hold=100'])
    await running.seen(started)
    const found = running.seen(seen).then(() => true)
    // Without a first line nothing says when it watches.
    for (let tries = 0; !(await Promise.race([found, sleep(500, false)])); tries += 1) {
      assert.ok(tries < 60, `nothing is seen with ${option}`)
      const command = 'cp -L /bin/true copied; ./copied copied-1'
      spawnSync('/bin/sh', ['-c', command], { cwd: folder, stdio: 'ignore' })
    }
    running.child.kill('SIGINT')
    assert.equal((await running.ended()).code, 0)
  }
})
