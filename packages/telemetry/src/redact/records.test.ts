import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { bytesTail, decodeRecord, encodeRecord, record, stringTail, u32 } from 'quark-ebpf/probe'
import { RecordRedactor } from './records.js'
import { Redactor } from './redactor.js'

const layout = record(0x7701, 'run', {
  pid: u32,
  name: stringTail(100),
  argv: bytesTail(4096),
  code: u32,
  env: bytesTail(4096),
})
const redactor = new RecordRedactor(new Redactor(), [{ layout, secrets: { argv: 'argv', env: 'env' } }])
const header = { cpu: 1, seq: 2, timeNs: 3n }

function encoded(argv: readonly string[], env: readonly string[], name = 'n'): Uint8Array {
  const strings = (list: readonly string[]): Uint8Array =>
    Buffer.from(list.map((string) => `${string}\0`).join(''))
  return encodeRecord(layout, header, { pid: 7, name, argv: strings(argv), code: 9, env: strings(env) })
}

test('the secrets of tails are replaced, and the rest of the record stays', () => {
  const bytes = encoded(['tool', '--token', 'hunter2'], ['A=1', 'DB_PASSWORD=hunter3'], 'é')
  // Somewhere in a ring.
  const ring = Buffer.concat([Buffer.alloc(16), bytes, Buffer.alloc(8)])
  const out = redactor.redacted(ring, 16, bytes.length)
  assert.ok(out !== undefined)
  assert.ok(!out.includes('hunter'))
  const { argv, env, ...rest } = decodeRecord(layout, out) as Record<string, unknown>
  const { argv: _argv, env: _env, ...before } = decodeRecord(layout, bytes) as Record<string, unknown>
  assert.deepEqual(rest, before)
  assert.match(Buffer.from(argv as Uint8Array).toString(), /^tool\0--token\0\[REDACTED:\w+\]\0$/)
  assert.match(Buffer.from(env as Uint8Array).toString(), /^A=1\0DB_PASSWORD=\[REDACTED:\w+\]\0$/)
  assert.equal(redactor.redacted(out, 0, out.length), undefined, 'it is done')
})

test('a record without secrets is not copied, nor one that is broken or of another type', () => {
  const bytes = encoded(['tool', 'argument'], ['A=1'])
  assert.equal(redactor.redacted(bytes, 0, bytes.length), undefined)
  const secret = encoded(['tool', '--token', 'hunter2'], [])
  assert.equal(redactor.redacted(secret, 0, layout.fixedSizeBytes - 1), undefined)
  assert.equal(redactor.redacted(secret, 0, layout.fixedSizeBytes + 3), undefined)
  assert.equal(redactor.redacted(secret, 0, 1), undefined)
  const other = Buffer.from(secret)
  other.writeUInt16LE(0x7702, 0)
  assert.equal(redactor.redacted(other, 0, other.length), undefined)
})

test('any bytes are taken', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(0xffffff), (bytes, descriptor) => {
      const record = Buffer.concat([encoded(['--token', 'x'], ['PASSWORD=x']), bytes])
      record.writeUInt32LE(descriptor, layout.at.argv)
      redactor.redacted(record, 0, record.length)
    }),
  )
})
