/** Samples over time as an SVG: one panel per column, a line per process, floods as bands. */

const WIDTH = 1000
const PANEL_HEIGHT = 130
const GAP = 34
const LEFT = 70
const RIGHT = 20
const TOP = 50
const COLOURS = ['#1f6fb4', '#c0561b']
const BAND = '#f3d9d9'

/**
 * @param panels `{ title, column }` each
 * @param names of the processes
 * @param bands `{ start, end, name }` each, in seconds
 * @param notes lines of text below
 */
export function plot({ title, panels, names, samples, bands, notes }) {
  const seconds = Math.max(1, samples.at(-1).seconds)
  const x = (at) => round(LEFT + (at / seconds) * (WIDTH - LEFT - RIGHT))
  const height = TOP + panels.length * (PANEL_HEIGHT + GAP) + 40 + notes.length * 16
  const body = [
    text(LEFT, 20, title, 'font-weight="bold" font-size="14"'),
    ...names.map((name, i) => text(LEFT + i * 160, 38, `— ${name}`, `fill="${COLOURS[i]}"`)),
    text(LEFT + names.length * 160, 38, '█ flood', `fill="${BAND}"`),
  ]
  for (const [index, { title: panelTitle, column }] of panels.entries()) {
    const top = TOP + index * (PANEL_HEIGHT + GAP) + 16
    const bottom = top + PANEL_HEIGHT
    const values = samples
      .flatMap((sample) => names.map((name) => sample[name][column]))
      .filter(Number.isFinite)
    const most = niceCeiling(Math.max(1, ...values))
    const y = (value) => round(bottom - (value / most) * PANEL_HEIGHT)
    for (const { start, end, name } of bands) {
      const from = x(Math.min(start, seconds))
      body.push(
        `<rect x="${from}" y="${top}" width="${round(Math.max(1, x(Math.min(end, seconds)) - from))}" height="${PANEL_HEIGHT}" fill="${BAND}"><title>${escaped(name)}</title></rect>`,
      )
    }
    body.push(
      text(LEFT, top - 4, panelTitle),
      `<path d="M${LEFT} ${top}V${bottom}H${WIDTH - RIGHT}" fill="none" stroke="#444"/>`,
    )
    for (const share of [0, 0.5, 1]) {
      body.push(text(LEFT - 6, y(most * share) + 4, String(most * share), 'text-anchor="end"'))
    }
    for (const [i, name] of names.entries()) {
      const points = samples
        .filter((sample) => Number.isFinite(sample[name][column]))
        .map((sample) => `${x(sample.seconds)},${y(sample[name][column])}`)
      body.push(
        `<polyline points="${points.join(' ')}" fill="none" stroke="${COLOURS[i]}" stroke-width="1.2"/>`,
      )
    }
  }
  const bottom = TOP + panels.length * (PANEL_HEIGHT + GAP) + 8
  for (let tick = 0; tick <= 6; tick++) {
    const at = (seconds * tick) / 6
    body.push(text(x(at), bottom, `${(at / 60).toFixed(1)} min`, 'text-anchor="middle"'))
  }
  body.push(...notes.map((note, i) => text(LEFT, bottom + 26 + i * 16, note)))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    ...body,
    '</svg>',
    '',
  ].join('\n')
}

function text(x, y, content, attributes = '') {
  return `<text x="${x}" y="${y}" ${attributes}>${escaped(content)}</text>`
}

function escaped(content) {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

function round(value) {
  return Math.round(value * 10) / 10
}

/** The next of 1, 2, 3, 4, 5, 6, 8, 10 times a power of ten. */
function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value)
}
