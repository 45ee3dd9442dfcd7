import { createRequire } from 'node:module'
import type * as re2 from 're2js'
import type { Found } from './text.js'

/** Most patterns, and characters of each. */
export const MAX_PATTERNS = 64
export const MAX_PATTERN_CHARS = 1024

/** Patterns of a user, in the syntax of RE2: their time grows with the length of the text and no more. */
export class PatternFinder {
  readonly #patterns: readonly re2.RE2JS[]

  /** @throws {SyntaxError} for a pattern that is none of RE2's, and says why */
  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map(compiled)
  }

  /** Reports each match, or of a pattern with a group what that has. */
  find(text: string, found: Found): void {
    for (const pattern of this.#patterns) {
      const matcher = pattern.matcher(text)
      while (matcher.find()) {
        const group = matcher.groupCount() > 0 && matcher.start(1) >= 0 ? 1 : 0
        if (matcher.end(group) > matcher.start(group)) found(matcher.start(group), matcher.end(group))
      }
    }
  }
}

/** Loaded when there are patterns: it takes longer than the rest of a start. */
function compiled(pattern: string): re2.RE2JS {
  const { RE2JS, RE2JSSyntaxException } = createRequire(import.meta.url)('re2js') as typeof re2
  try {
    return RE2JS.compile(pattern)
  } catch (cause) {
    if (!(cause instanceof RE2JSSyntaxException)) throw cause
    throw new SyntaxError(`"${pattern}" is not a pattern of RE2: ${cause.message}`, { cause })
  }
}
