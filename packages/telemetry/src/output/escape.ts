/** How characters are replaced that no line may hold: control characters, halves of surrogate pairs, and marks. */

/** What stands for each unit, whose texts were made beforehand: a text may consist of nothing else. */
export interface Escapes {
  /** For units below 0xa0; empty for those that stand for themselves. */
  readonly low: readonly string[]
  /** For halves of pairs, line separators and marks of reading direction. */
  readonly other: (code: number) => string
}

/** Units below have all controls. */
const LOW = 0xa0
/** The first mark of reading direction: U+061C. */
const FIRST_MARK = 0x61c

/** Makes the escapes of a form; `of` gives what stands for an unsafe unit. `more` are unsafe beside the controls. */
export function escapesOf(of: (code: number) => string, more: string): Escapes {
  const isUnsafe = (code: number): boolean =>
    code < 0x20 || code >= 0x7f || more.includes(String.fromCharCode(code))
  return { low: Array.from({ length: LOW }, (_, code) => (isUnsafe(code) ? of(code) : '')), other: of }
}

/** A text with what stands for its unsafe units. */
export function escaped(text: string, { low, other }: Escapes): string {
  let out = ''
  let keptFrom = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    let piece: string
    if (code < LOW) {
      piece = low[code] as string
      if (piece === '') continue
    } else if (code < FIRST_MARK) {
      continue
    } else if (code >= 0xd800 && code <= 0xdfff) {
      const next = text.charCodeAt(i + 1)
      if (code <= 0xdbff && next >= 0xdc00 && next <= 0xdfff) {
        i += 1
        continue
      }
      piece = other(code)
    } else if (isMark(code)) {
      piece = other(code)
    } else {
      continue
    }
    if (keptFrom < i) out += text.slice(keptFrom, i)
    out += piece
    keptFrom = i + 1
  }
  return keptFrom === 0 ? text : out + text.slice(keptFrom)
}

/** Line and paragraph separators, and all of Bidi_Control. */
function isMark(code: number): boolean {
  if (code < 0x200e) return code === FIRST_MARK
  if (code > 0x2069) return false
  return code <= 0x200f || (code >= 0x2028 && code <= 0x202e) || code >= 0x2066
}
