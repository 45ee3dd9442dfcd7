import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { LIMIT } from '../../names/testing/limit.js'
import type { QuarkEvent } from '../index.js'
import { Quark } from '../../quark.js'
import { MAX_CONNECTIONS } from './table.js'

const ADDRESS = '127.5.0.13'
const PORT = 8446
const RING_BYTES = 1 << 22
/** More than the ring holds: each sends as much of a message that never ends as is read of one. */
const CONNECTIONS = 400
const SEGMENTS = 8
const PROGRAMS = 20

/** A user begins messages. */
async function flood(): Promise<void> {
  const code = `const part = Buffer.alloc(7000); Buffer.from('160303200001003ff0', 'hex').copy(part)
    let left = ${CONNECTIONS}
    ;(function next() {
      if (left-- === 0) return
      const s = require('net').connect(${PORT}, '${ADDRESS}').setNoDelay(true).on('error', () => {}).on('close', next)
      let segments = 0
      s.resume(); (function more() { segments++ === ${SEGMENTS} ? s.end() : s.write(part, more) })()
    })()`
  const child = spawn(process.execPath, ['-e', code], { uid: 64_322, gid: 64_322, stdio: 'inherit' })
  assert.deepEqual(await once(child, 'exit'), [0, null])
}

test(
  'a flood of messages that never end, which nobody reads, leaves room for processes, is counted, and stays bounded',
  LIMIT,
  async () => {
    const server = createServer((socket) => socket.on('error', () => {}).resume()).listen(PORT, ADDRESS)
    await once(server, 'listening')
    const quark = await Quark.open({
      tls: true,
      tlsPorts: [PORT],
      backends: ['ebpf'],
      ringSizeBytes: RING_BYTES,
      where: { treeOf: [process.pid] },
    })
    try {
      await flood()
      const pids = Array.from({ length: PROGRAMS }, (_, i) => spawnSync('/bin/echo', [`victim-${i}`]).pid)
      const events: readonly QuarkEvent[] = quark.finish()
      const { lost, tables } = quark.stats()
      for (const pid of pids) {
        const actions = events.flatMap((event) =>
          event.kind === 'process' && event.process.pid === pid ? event.actions : [],
        )
        for (const action of ['fork', 'exec', 'exit'] as const) assert.ok(actions.includes(action), `${pid}`)
      }
      assert.ok(lost > 0)
      assert.ok(events.some(({ kind }) => kind === 'lost'))
      assert.deepEqual(
        events.filter(({ kind }) => kind === 'tls'),
        [],
      )
      const { connections = 0, unread = 0 } = tables['tls'] ?? {}
      assert.ok(connections > 0 && connections <= MAX_CONNECTIONS && unread > 0)
    } finally {
      await quark.close()
      server.close()
    }
  },
)
