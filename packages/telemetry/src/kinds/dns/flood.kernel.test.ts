import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { LIMIT } from '../../names/testing/limit.js'
import type { QuarkEvent } from '../index.js'
import { Quark } from '../../quark.js'
import { MAX_EXCHANGES } from './table.js'
import { wireMessage } from './testing/messages.js'

const RING_BYTES = 1 << 22
/** A message that fills what is kept of one. */
const QUESTION = Buffer.concat([wireMessage(), Buffer.alloc(4000)])
/** More than the ring holds. */
const MESSAGES = 6000
const PROGRAMS = 20

/** A user sends questions that nobody answers. */
async function flood(): Promise<void> {
  const code = `const s = require('dgram').createSocket('udp4'); const m = Buffer.from('${QUESTION.toString('hex')}', 'hex')
    s.on('error', () => {}); s.bind(0, '127.0.0.1'); let n = 0
    ;(function next() { if (n++ === ${MESSAGES}) return s.close(); m.writeUInt16BE(n & 0xffff, 0); s.send(m, 53, '127.5.3.9', next) })()`
  const child = spawn(process.execPath, ['-e', code], { uid: 64_321, gid: 64_321, stdio: 'inherit' })
  assert.deepEqual(await once(child, 'exit'), [0, null])
}

test(
  'a flood of questions that nobody reads leaves room for processes, is counted, and stays bounded',
  LIMIT,
  async () => {
    const quark = await Quark.open({
      dns: true,
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
      const asked = events.filter((event) => event.kind === 'dns' && event.serverIp === '127.5.3.9')
      assert.ok(asked.length > 100 && asked.length < MESSAGES, `${asked.length}`)
      assert.ok(lost > 0)
      assert.ok(events.some(({ kind }) => kind === 'lost'))
      assert.ok((tables['dns']?.['exchanges'] ?? 0) <= MAX_EXCHANGES)
    } finally {
      await quark.close()
    }
  },
)
