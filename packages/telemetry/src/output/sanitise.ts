/**
 * Names, arguments and paths are written by whoever runs a program, so they may hold escape sequences that
 * move the cursor, line ends that forge a log line, or marks that turn the reading direction around.
 */

/** A backslash, or beyond printable ASCII: most texts have neither, and that is found out fast. */
const NOT_PLAIN = /[^ -[\]-~]/

// Cc: C0, DEL and C1. Cs: with the u flag, only surrogates that are not part of a pair.
const UNSAFE = /[\\\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/gu

/**
 * Text for a terminal or a log line: one line, no control characters, no marks of reading direction. What
 * was taken out is visible as `\n`, `\x1b` or `\u{202e}`, and a backslash is doubled, so different texts stay
 * different.
 */
export function sanitise(text: string): string {
  return NOT_PLAIN.test(text) ? text.replace(UNSAFE, escape) : text
}

function escape(character: string): string {
  switch (character) {
    case '\\':
      return '\\\\'
    case '\n':
      return '\\n'
    case '\r':
      return '\\r'
    case '\t':
      return '\\t'
    case '\b':
      return '\\b'
    default: {
      const code = character.charCodeAt(0)
      const hex = code.toString(16)
      return code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`
    }
  }
}
