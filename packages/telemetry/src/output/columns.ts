/** How much room texts take on a terminal. */

const ASCII = /^[ -~]*$/
/** Marks that are written onto the character before them. */
const ZERO = /^[\p{Mn}\p{Me}\p{Cf}]$/u
/** Characters as wide as two: those of East Asia, and pictures. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1faff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]$/u

/** Columns of a text without control characters. */
export function columnsOf(text: string): number {
  if (ASCII.test(text)) return text.length
  let columns = 0
  for (const character of text) columns += columnsOfCharacter(character)
  return columns
}

function columnsOfCharacter(character: string): number {
  if (character.length === 1 && character < '\u0300') return 1
  if (ZERO.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

/** Most units that a column is given: any number of marks may be written onto a character. */
const UNITS_PER_COLUMN = 8

/** Whether a text fits, and if not, the part of it that does, with `end` behind it. */
export function cutColumns(text: string, columns: number, end: string): string {
  if (text.length <= columns && ASCII.test(text)) return text
  const most = Math.max(0, columns * UNITS_PER_COLUMN)
  const whole = text.length > most ? text.slice(0, most) : text
  let width = 0
  let at = 0
  // Where the text is cut if it does not fit.
  let keptTo = 0
  const room = columns - end.length
  for (const character of whole) {
    width += columnsOfCharacter(character)
    if (width > columns) break
    at += character.length
    if (width <= room) keptTo = at
  }
  if (at === text.length) return text
  return room < 0 ? end.slice(0, Math.max(0, columns)) : text.slice(0, keptTo) + end
}

/** A text in a cell that is at least so wide. */
export function padColumns(text: string, columns: number): string {
  const missing = columns - columnsOf(text)
  return missing > 0 ? text + ' '.repeat(missing) : text
}
