/** What the engine would open by itself, and what a process without rights may still hold. */

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { COMMAND, Running } from './testing/command.js'

const SNAPSHOT = /"kind":"snapshot"/
const NOBODY = '65534'

/** Inodes of the TCP sockets that listen, on this machine's IPv4 and IPv6. */
function listening(): Set<string> {
  const lines = ['tcp', 'tcp6'].flatMap((name) => readFileSync(`/proc/net/${name}`, 'latin1').split('\n'))
  return new Set(
    lines.map((line) => line.trim().split(/\s+/)).flatMap((row) => (row[3] === '0A' ? row[9]! : [])),
  )
}

function links(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
}

/** Sockets of a process that listen. */
function doors(pid: number): string[] {
  const inodes = listening()
  return links(pid).filter((link) => inodes.has(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? ''))
}

function statusOf(pid: number): Map<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, 'latin1').split('\n')
  return new Map(lines.map((line) => line.split(/:\s*/, 2) as [string, string]))
}

for (const args of [[], ['-D']]) {
  test(`SIGUSR1 opens no inspector: quark-mon ${args.join(' ')}`, async () => {
    const running = new Running([...args, '--json', '-q'])
    await running.seen(SNAPSHOT)
    for (let i = 0; i < 5; i++) {
      process.kill(running.pid, 'SIGUSR1')
      await sleep(50)
      assert.deepEqual(doors(running.pid), [])
    }
    running.child.kill('SIGTERM')
    const { code, err } = await running.ended()
    assert.deepEqual({ code, err }, { code: 0, err: '' })
  })
}

test('an inspector that the environment opened ends it before it watches anything', () => {
  const { status, stderr } = spawnSync(process.execPath, [COMMAND, '--count=1'], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '--inspect=127.0.0.1:0' },
    timeout: 60_000,
  })
  assert.equal(status, 1)
  assert.match(stderr, /^quark-mon: the inspector of Node listens at ws:.* \(start it without --inspect/m)
})

test('after -D there are no rights, no way to get any, and nobody may look into it', async () => {
  const running = new Running(['-D', '--json', '-q'])
  await running.seen(SNAPSHOT)
  const status = statusOf(running.pid)
  assert.equal(status.get('Uid'), Array.from({ length: 4 }, () => NOBODY).join('\t'))
  assert.equal(status.get('Gid'), Array.from({ length: 4 }, () => NOBODY).join('\t'))
  assert.equal(status.get('Groups')?.trim(), '')
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
    assert.equal(status.get(set), '0000000000000000', set)
  }
  assert.equal(status.get('NoNewPrivs'), '1')
  // The files of a process that is not dumpable belong to root.
  assert.equal(statSync(`/proc/${running.pid}/maps`).uid, 0)
  assert.match(readFileSync(`/proc/${running.pid}/limits`, 'latin1'), /^Max core file size +0 +0 /m)

  const open = links(running.pid).filter((link) => !/^(anon_inode:|pipe:|\/dev\/null$)/.test(link))
  assert.deepEqual(
    open.filter(
      (link) => !/^socket:|^\/sys\/devices\/system\/cpu|^\/proc\/sys|^\/dev\/(u?random)$/.test(link),
    ),
    [],
  )
  const attempt = spawn('setpriv', [
    '--reuid',
    NOBODY,
    '--clear-groups',
    'cat',
    `/proc/${running.pid}/environ`,
  ])
  const [code] = await new Promise<[number | null]>((resolve) =>
    attempt.on('exit', (value) => resolve([value])),
  )
  assert.notEqual(code, 0, 'another process of nobody reads its environment')
  running.child.kill('SIGTERM')
  assert.equal((await running.ended()).code, 0)
})
