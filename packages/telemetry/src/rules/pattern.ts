/** Whether a text is what a pattern says. */
export type TextTest = (text: string) => boolean

/**
 * Compiles a pattern: `*` is any number of any characters, also slashes; all others stand for themselves. The parts
 * between stars do not overlap in the text.
 */
export function compilePattern(pattern: string): TextTest {
  const [first = '', ...others] = pattern.split('*')
  const last = others.pop()
  if (last === undefined) return (text) => text === first
  if (others.length === 0) {
    const least = first.length + last.length
    return (text) => text.length >= least && text.startsWith(first) && text.endsWith(last)
  }
  const middle = others.filter((part) => part !== '')
  return (text) => {
    if (!text.startsWith(first) || !text.endsWith(last)) return false
    let at = first.length
    for (const part of middle) {
      const found = text.indexOf(part, at)
      if (found === -1) return false
      at = found + part.length
    }
    return at <= text.length - last.length
  }
}
