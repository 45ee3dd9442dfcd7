/** Lines of at most `width` characters that begin with `indent` spaces; a longer word gets a line of its own. */
export function wrap(text: string, indent: number, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line].map((body) => ' '.repeat(indent) + body)
}
