import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { addressOf, isIn, networkOf } from './address.js'

function isWithin(address: string, network: string): boolean | undefined {
  const [of, base] = [addressOf(address), networkOf(network)]
  return of === undefined || base === undefined ? undefined : isIn(of, base)
}

const WITHIN: readonly [address: string, network: string, is: boolean | undefined][] = [
  ['10.1.2.3', '10.0.0.0/8', true],
  ['11.1.2.3', '10.0.0.0/8', false],
  ['10.1.2.3', '10.1.2.3', true],
  ['10.1.2.3', '10.1.2.2/31', true],
  ['10.1.2.3', '10.1.2.4/31', false],
  ['255.255.255.255', '0.0.0.0/0', true],
  ['::ffff:10.1.2.3', '10.0.0.0/8', true],
  ['::ffff:a01:203', '10.0.0.0/8', true],
  ['10.1.2.3', '::ffff:10.0.0.0/104', true],
  ['11.1.2.3', '::ffff:10.0.0.0/104', false],
  ['10.1.2.3', '::/0', false],
  ['::1', '0.0.0.0/0', false],
  ['2001:db8::1', '2001:db8::/32', true],
  ['2001:db9::1', '2001:db8::/32', false],
  ['2001:db8:0:8000::', '2001:db8::/48', true],
  ['2001:db8:0:8000::', '2001:db8::/49', false],
  ['2001:db8:0:0:8000::', '2001:db8::/65', false],
  ['fe80::1', 'FE80::/10', true],
  ['::1', '::1', true],
  ['::2', '::1', false],
  ['10.1.2.3', '10.0.0.0/33', undefined],
  ['10.1.2.3', '10.0.0/8', undefined],
  ['10.1.2.3', '10.0.0.256', undefined],
  ['10.1.2.3', '::ffff:10.0.0.0/95', undefined],
  ['::1', '::1/129', undefined],
  ['::1', '1::2::3', undefined],
  ['::1', '1:2:3:4:5:6:7:8:9', undefined],
  ['::1', '1:2:3:4:5:6:7::8', undefined],
  ['::1', 'fe80::1%eth0', undefined],
  ['', '::', undefined],
]

for (const [address, network, is] of WITHIN) {
  test(`${address} in ${network}: ${is}`, () => assert.equal(isWithin(address, network), is))
}

test('what is an address is one for Node too, and the other way round', () => {
  const part = fc.oneof(
    fc.stringMatching(/^[0-9a-fg]{0,5}$/),
    fc.constantFrom('', '::', '1.2.3.4', '256.1.1.1', '1.2.3', '%1'),
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 9 }), fc.constantFrom(':', '.'), (parts, between) => {
      const text = parts.join(between)
      const isZoned = text.includes('%')
      // Node refuses zeros before a part of IPv4, which say nothing else here.
      if (/(^|[.:])0\d+(\.|$)/.test(text)) return
      assert.equal(addressOf(text) !== undefined, !isZoned && isIP(text) !== 0, text)
    }),
  )
})
