import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { nameAt } from './name.js'
import { words } from '../../names/testing/packets.js'
import { wireName } from './testing/messages.js'

test('names are text in lower case, with escapes for what would be ambiguous', () => {
  for (const [labels, name] of [
    [['www', 'Example', 'ORG'], 'www.example.org'],
    [[], '.'],
    [['a.b', 'c\\d', ' \x00\x7f\xff'], 'a\\.b.c\\\\d.\\032\\000\\127\\255'],
    [['_ldap', '_tcp'], '_ldap._tcp'],
  ] as const) {
    const bytes = wireName(...labels)
    assert.deepEqual(nameAt(bytes, 0), { name, end: bytes.length })
  }
})

test('pointers lead to names before, and the name ends behind the first of them', () => {
  const bytes = Buffer.concat([
    wireName('example', 'org'),
    Buffer.from('\x03www'),
    words(0xc000),
    Buffer.from([9]),
  ])
  assert.deepEqual(nameAt(bytes, 13), { name: 'www.example.org', end: 19 })
})

test('what is no name is none: circles, pointers forwards, cut and too long ones, unknown forms of labels', () => {
  const longest = wireName(...Array.from({ length: 127 }, () => '.'))
  assert.equal(longest.length, 255)
  assert.equal(nameAt(longest, 0)?.name.length, 127 * 3 - 1)
  for (const [bytes, at = 0] of [
    [words(0xc000)],
    [words(0xc002, 0xc000), 2],
    [words(0xc004, 0, 0)],
    [wireName('example').subarray(0, 5)],
    [Buffer.from([0xc0])],
    [Buffer.from([])],
    [Buffer.from([0x41, 0x61, 0])],
    [wireName(...Array.from({ length: 128 }, () => 'x'))],
    // Each pointer leads to a label and the pointer before it.
    [
      Buffer.concat([
        wireName('x'),
        ...Array.from({ length: 200 }, (_, i) =>
          Buffer.concat([Buffer.from('\x01x'), words(0xc000 + (i === 0 ? 0 : 3 + (i - 1) * 4))]),
        ),
      ]),
      3 + 199 * 4,
    ],
  ] as const) {
    assert.equal(nameAt(bytes, at), undefined, bytes.toString('hex').slice(0, 40))
  }
})

test('whatever the bytes are, a name is printable, and not longer than its escapes can make it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 300 }), (bytes, at) => {
      const found = nameAt(bytes, at)
      if (found === undefined) return
      assert.match(found.name, /^[\x21-\x7e]+$/)
      assert.ok(found.name.length <= 254 * 4 && found.end <= bytes.length && found.end > at)
    }),
    { numRuns: 2000 },
  )
})
