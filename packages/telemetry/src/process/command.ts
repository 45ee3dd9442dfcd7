/** Arguments as people read them, with the bytes that are no text. */

import { utf8Of } from '../memory/utf8.js'
import type { Process } from './process.js'

const REPLACEMENT = '\ufffd'
/** Of longer lists bytes that are no text stay U+FFFD: to look at each byte takes time. */
const MOST_BYTES = 16 << 10
/** What a byte that belongs to no character becomes: half of a surrogate pair, which no character of UTF-8 is. */
const BYTE = 0xdc00

/** The arguments; a byte that belongs to no character is U+DC00 and the byte, where `argv` has U+FFFD. */
export function argumentsOf({
  argv,
  argvBytes,
}: Pick<Process, 'argv' | 'argvBytes'>): readonly string[] | undefined {
  if (argvBytes === undefined || argvBytes.length > MOST_BYTES) return argv
  const words: string[] = []
  let start = 0
  while (start < argvBytes.length) {
    const nul = argvBytes.indexOf(0, start)
    const end = nul === -1 ? argvBytes.length : nul
    words.push(utf8Of(argvBytes.subarray(start, end), BYTE))
    start = end + 1
  }
  return words
}

/** Whether some of the arguments, which are not too long, are not text. */
export function hasOtherBytes(argv: readonly string[]): boolean {
  let has = false
  let units = 0
  for (let i = 0; i < argv.length; i++) {
    const text = argv[i] as string
    units += text.length + 1
    if (units > MOST_BYTES) return false
    has ||= text.includes(REPLACEMENT)
  }
  return has
}
