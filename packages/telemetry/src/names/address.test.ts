import assert from 'node:assert/strict'
import { isIPv6 } from 'node:net'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { endpointText, ipv4Text, ipv6Text, isIpv4, plainIp, swap16 } from './address.js'

/** The words of sixteen bytes, as a record has them. */
function wordsOf(bytes: readonly number[]): Uint32Array {
  return new Uint32Array(Uint8Array.from(bytes).buffer)
}

function partsOf(...parts: readonly number[]): Uint32Array {
  return wordsOf(parts.flatMap((part) => [part >> 8, part & 0xff]))
}

test('addresses of IPv6 are written as RFC 5952 has them', () => {
  const texts: [string, Uint32Array][] = [
    ['::', partsOf(0, 0, 0, 0, 0, 0, 0, 0)],
    ['::1', partsOf(0, 0, 0, 0, 0, 0, 0, 1)],
    ['1::', partsOf(1, 0, 0, 0, 0, 0, 0, 0)],
    ['2001:db8::1', partsOf(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)],
    // The longest run is left out, the first of equal ones, and no single part.
    ['2001:0:0:1::1', partsOf(0x2001, 0, 0, 1, 0, 0, 0, 1)],
    ['2001:db8::1:0:0:1', partsOf(0x2001, 0xdb8, 0, 0, 1, 0, 0, 1)],
    ['2001:db8:0:1:1:1:1:1', partsOf(0x2001, 0xdb8, 0, 1, 1, 1, 1, 1)],
    ['::ffff:192.0.2.7', partsOf(0, 0, 0, 0, 0, 0xffff, 0xc000, 0x207)],
    ['fe80::abcd:ef01', partsOf(0xfe80, 0, 0, 0, 0, 0, 0xabcd, 0xef01)],
  ]
  for (const [text, words] of texts) assert.equal(ipv6Text(words, 0), text)
})

test('whatever the bytes are, the text is an address with the same bytes', () => {
  const byte = fc.oneof(fc.constant(0), fc.nat({ max: 255 }))
  fc.assert(
    fc.property(fc.array(byte, { minLength: 16, maxLength: 16 }), (bytes) => {
      const text = ipv6Text(wordsOf(bytes), 0)
      assert.ok(isIPv6(text), text)
      // The parser of URLs writes the canonical form, with mapped addresses in hexadecimal.
      if (isIpv4(text)) return
      assert.equal(new URL(`http://[${text}]/`).hostname, `[${text}]`)
    }),
  )
})

test('addresses of IPv4, ports and ends', () => {
  assert.equal(
    ipv4Text(wordsOf([192, 0, 2, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])[0] as number),
    '192.0.2.255',
  )
  assert.equal(swap16(0x5000), 80)
  assert.equal(plainIp('::ffff:192.0.2.7'), '192.0.2.7')
  assert.equal(plainIp('::ffff:0'), '::ffff:0')
  assert.deepEqual(['192.0.2.7', '::ffff:192.0.2.7', '::1'].map(isIpv4), [true, true, false])
  assert.equal(endpointText('192.0.2.7', 80), '192.0.2.7:80')
  assert.equal(endpointText('::1', 80), '[::1]:80')
  assert.equal(endpointText('::1', undefined), '[::1]')
  assert.equal(endpointText(undefined, 80), ':80')
  assert.equal(endpointText(undefined, undefined), undefined)
})
