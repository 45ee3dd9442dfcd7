/**
 * Names, arguments and paths are written by whoever runs a program, so they may hold escape sequences that
 * move the cursor, line ends that forge a log line, or marks that turn the reading direction around.
 */

import { escaped, escapesOf } from './escape.js'

/** A backslash, or beyond printable ASCII: most texts have neither, and that is found out fast. */
const NOT_PLAIN = /[^ -[\]-~]/

/**
 * Text for a terminal or a log line: one line, no control characters, no marks of reading direction. What
 * was taken out is visible as `\n`, `\x1b` or `\u{202e}`, and a backslash is doubled, so different texts stay
 * different.
 */
export function sanitise(text: string): string {
  return NOT_PLAIN.test(text) ? escaped(text, ESCAPES) : text
}

const ESCAPES = escapesOf((code) => {
  switch (code) {
    case 0x5c:
      return '\\\\'
    case 0x0a:
      return '\\n'
    case 0x0d:
      return '\\r'
    case 0x09:
      return '\\t'
    case 0x08:
      return '\\b'
    default: {
      const hex = code.toString(16)
      return code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`
    }
  }
}, '\\')
