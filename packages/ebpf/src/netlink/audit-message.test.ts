import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  AUDIT_EXECVE,
  auditArgument,
  auditArguments,
  auditNumber,
  type AuditRecord,
  auditText,
  parseAuditRecord,
} from './audit-message.js'
import { encodeAuditRule, parseAuditRule } from './audit-rule.js'

const STAMP = 'audit(1700000000.123:456): '

function datagram(text: string, type = 1300): Uint8Array {
  const bytes = Buffer.alloc(16 + text.length)
  bytes.writeUInt16LE(type, 4)
  bytes.write(text, 16, 'latin1')
  return bytes
}

function record(text: string): AuditRecord {
  const parsed = parseAuditRecord(datagram(STAMP + text, AUDIT_EXECVE))
  assert.ok(parsed !== undefined)
  return parsed
}

function latin1(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1')
}

test('parseAuditRecord() reads stamp and fields', async (t) => {
  const cases = [
    {
      name: 'a system call',
      text: `${STAMP}arch=c000003e syscall=59 success=yes exit=0 comm="a b" key=(null)`,
      fields: { arch: 'c000003e', syscall: '59', success: 'yes', exit: '0', comm: '"a b"', key: '(null)' },
    },
    { name: 'nothing but a stamp', text: 'audit(1700000000.123:456): ', fields: {} },
    { name: 'a NUL at the end', text: `${STAMP}exit=0\0`, fields: { exit: '0' } },
    { name: 'the first of two of one name', text: `${STAMP}uid=1 uid=0`, fields: { uid: '1' } },
  ]
  for (const { name, text, fields } of cases) {
    await t.test(name, () => {
      const parsed = parseAuditRecord(datagram(text))
      assert.deepEqual([parsed?.type, parsed?.serial, parsed?.timeMs], [1300, 456, 1_700_000_000_123])
      assert.deepEqual(Object.fromEntries(parsed?.fields ?? []), fields)
    })
  }
  await t.test('no stamp', () => assert.equal(parseAuditRecord(datagram('arch=c000003e')), undefined))
})

test('values are text, numbers or arguments', () => {
  assert.equal(latin1(auditText('"sh"')), 'sh')
  assert.equal(latin1(auditText('""')), '')
  assert.equal(latin1(auditText('C3A422')), '\xc3\xa4"')
  assert.deepEqual(
    [undefined, '(null)', '(none)', 'abc', 'xy', ''].map((value) => auditText(value)),
    new Array(6).fill(undefined),
  )
  assert.deepEqual(
    ['4294967295', '-2', '1.5', 'a', undefined].map((value) => auditNumber(value)),
    [4_294_967_295, -2, undefined, undefined, undefined],
  )
  assert.deepEqual(
    ['1200011', 'ffffffffffffffff', '0', '-1', undefined].map((value) => auditArgument(value)),
    [0x120_0011, 0xffff_ffff, 0, undefined, undefined],
  )
})

test('auditArguments() puts arguments together', async (t) => {
  const cases = [
    { name: 'quoted, and in digits', texts: ['argc=2 a0="ls" a1=2D6C22'], argv: 'ls\0-l"\0' },
    { name: 'an empty one', texts: ['argc=2 a0="" a1="x"'], argv: '\0x\0' },
    { name: 'none', texts: ['argc=0'], argv: '' },
    {
      name: 'over several records',
      texts: ['argc=3 a0="sh"', 'a1_len=6 a1[0]="abc"', 'a1[1]="def"', 'a2="end"'],
      argv: 'sh\0abcdef\0end\0',
    },
    { name: 'a long one in digits', texts: ['argc=1 a0_len=8 a0[0]=4142', 'a0[1]=4344'], argv: 'ABCD\0' },
    { name: 'a missing argument', texts: ['argc=2 a0="ls"'], argv: undefined },
    { name: 'a missing part', texts: ['argc=1 a0_len=8 a0[0]=4142'], argv: undefined },
    { name: 'an impossible count', texts: ['argc=4000000000 a0="ls"'], argv: undefined },
    { name: 'no record', texts: [], argv: undefined },
  ]
  for (const { name, texts, argv } of cases) {
    await t.test(name, () => assert.equal(latin1(auditArguments(texts.map(record))), argv))
  }
})

test('any text is taken', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom('a0=', 'a0[0]=', 'a0_len=9', 'argc=1', '"', ' ', '41', '(null)', 'audit(1.000:1): '),
  )
  fc.assert(
    fc.property(fc.array(piece), fc.boolean(), fc.uint8Array({ maxLength: 40 }), (pieces, stamped, bytes) => {
      const text = (stamped ? STAMP : '') + pieces.join('')
      const parsed = parseAuditRecord(datagram(text))
      if (stamped) assert.ok(parsed !== undefined)
      if (parsed !== undefined) auditArguments([parsed])
      for (const value of parsed?.fields.values() ?? []) auditText(value)
      parseAuditRecord(bytes)
    }),
  )
})

test('a rule is listed as it was added', () => {
  const rule = { arch: 0xc000_003e, calls: [59, 322, 435], onlySuccess: true, key: 'quark:1:2:0:64:1' }
  const bytes = encodeAuditRule(rule)
  const view = Buffer.from(bytes)
  assert.deepEqual([view.readUInt32LE(0), view.readUInt32LE(4), view.readUInt32LE(8)], [4, 2, 3])
  // Calls are bits of the mask: 59 is bit 27 of word 1, 322 bit 2 of word 10, 435 bit 19 of word 13.
  assert.equal(view.readUInt32LE(12 + 4), 1 << 27)
  assert.equal(view.readUInt32LE(12 + 40), 1 << 2)
  assert.equal(view.readUInt32LE(12 + 52), 1 << 19)
  const listed = parseAuditRule(bytes)
  assert.deepEqual([listed?.key, listed?.silencesTasks], [rule.key, false])
  view.writeUInt32LE(1, 0)
  view.writeUInt32LE(0, 4)
  assert.equal(parseAuditRule(view)?.silencesTasks, true)
  assert.equal(parseAuditRule(bytes.subarray(0, 1000)), undefined)
})

test('any rule is taken', () => {
  const large = fc.uint8Array({ minLength: 1040, maxLength: 1100 })
  fc.assert(fc.property(fc.oneof(large, fc.uint8Array()), (bytes) => void parseAuditRule(bytes)))
})
