/** Values for events of all kinds, as an attacker would choose them. */

import * as fc from 'fast-check'

export const u32 = fc.nat({ max: 0xffffffff })
export const u64 = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn })

/** Text such as an attacker chooses: controls, marks, quotes, halves of surrogate pairs. */
export const hostileText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '"',
        '\\',
        '\n',
        '\r',
        '\b',
        '\t',
        '\u001b[2J',
        '\u0000',
        '\u007f',
        '\u009b',
        '</',
        '&quot;',
      ),
      fc.constantFrom(
        '\u202e',
        '\u2066',
        '\u2069',
        '\u200f',
        '\u061c',
        '\u2028',
        '\u2029',
        '\ufffd',
        '\u{1f600}',
      ),
      fc.nat({ max: 0xffff }).map((unit) => String.fromCharCode(unit)),
      fc.string(),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''))

/** A value that may not be known. */
export function maybe<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(value, { nil: undefined })
}
