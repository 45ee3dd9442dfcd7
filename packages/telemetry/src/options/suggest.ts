/** How many characters have to be inserted, removed or replaced to make one word of the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replace = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}

/** Longer words are no misspelling of a name. */
const MAX_WORD_LENGTH = 64

/**
 * What to give in place of a word that is none of some: `did you mean "exec"?`, or, if none is similar, all of them.
 */
export function suggestion(word: string, words: readonly string[]): string {
  let best: string | undefined
  let fewest = Math.min(3, Math.max(1, Math.ceil(word.length / 2))) + 1
  for (const known of word.length > MAX_WORD_LENGTH ? [] : words) {
    const edits = editDistance(word.toLowerCase(), known.toLowerCase())
    if (edits < fewest) [best, fewest] = [known, edits]
  }
  return best === undefined ? `use one of ${words.join(', ')}` : `did you mean "${best}"?`
}
