// What a terminal would show, as text and as SVG.

// oxlint-disable-next-line no-control-regex -- they are what is looked for
const SEQUENCE = /\x1b\[([\d;]*)m/g

/** Text without control sequences. */
export function textOf(output) {
  return output.replace(SEQUENCE, '')
}

const CHARACTER = 7.8
const LINE = 18
const MARGIN = 12
const CLASSES = { 1: 'b', 2: 'd', 31: 'r', 32: 'g', 35: 'm', 36: 'c' }

/** On a light and on a dark ground, as the reader has it. */
const STYLE = `
  text { font: 13px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #1f2328; white-space: pre }
  .bg { fill: #f6f8fa } .b { font-weight: bold } .d { fill: #59636e }
  .r { fill: #b3261e } .g { fill: #1a7f37 } .m { fill: #8250df } .c { fill: #0a6c74 }
  @media (prefers-color-scheme: dark) {
    text { fill: #d1d7e0 } .bg { fill: #151b23 } .d { fill: #9198a1 }
    .r { fill: #ff7b72 } .g { fill: #3fb950 } .m { fill: #d2a8ff } .c { fill: #56d4dd }
  }
`

/** A picture of a terminal of so many columns. */
export function svgOf(output, columns) {
  const lines = output.replace(/\n$/, '').split('\n')
  const width = Math.ceil(columns * CHARACTER + 2 * MARGIN)
  const height = lines.length * LINE + 2 * MARGIN
  const rows = lines.map((line, row) => {
    const y = MARGIN + (row + 0.75) * LINE
    return `<text x="${MARGIN}" y="${y}" xml:space="preserve">${spansOf(line)}</text>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<style>${STYLE}</style>`,
    `<rect class="bg" width="${width}" height="${height}" rx="6"/>`,
    ...rows,
    '</svg>\n',
  ].join('\n')
}

/** The parts of a line, each in its colours. Every part has a place of its own: fonts differ. */
function spansOf(line) {
  let out = ''
  let column = 0
  let classes = []
  let from = 0
  const add = (text) => {
    if (text === '') return
    const x = (MARGIN + column * CHARACTER).toFixed(1)
    const look = classes.length === 0 ? '' : ` class="${classes.join(' ')}"`
    out += `<tspan x="${x}"${look}>${escape(text)}</tspan>`
    column += [...text].length
  }
  for (const match of line.matchAll(SEQUENCE)) {
    add(line.slice(from, match.index))
    from = match.index + match[0].length
    const codes = match[1].split(';')
    classes =
      codes.includes('0') || match[1] === '' ? [] : [...classes, ...codes.map((code) => CLASSES[code] ?? '')]
  }
  add(line.slice(from))
  return out
}

function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
