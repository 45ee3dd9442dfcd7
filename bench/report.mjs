/**
 * Results as Markdown.
 *
 * A bench returns `{ tables, notes, figures }`. A table is `{ title, columns, rows }`; a figure is
 * `{ name, value, aim, isReached }`, the last two absent when nothing was aimed at.
 */

/** The whole file: what it was measured on, the figures with their aims, then every bench. */
export function markdown(machine, results) {
  const figures = results.flatMap((result) => result.figures)
  return [
    '# Results',
    'Written by `npm run bench`; [docs/performance.md](../docs/performance.md) says what each figure means.',
    table(['', ''], machine),
    '## Figures and aims',
    table(['figure', 'measured', 'aim', 'reached'], figures.map(figureRow)),
    ...results.flatMap(section),
    '',
  ].join('\n\n')
}

function figureRow({ name, value, aim = '', isReached }) {
  return [name, value, aim, isReached === undefined ? '' : isReached ? 'yes' : '**no**']
}

function section({ name, tables, notes }) {
  return [
    `## ${name}`,
    ...tables.flatMap(({ title, columns, rows }) => [`${title}:`, table(columns, rows)]),
    ...(notes.length > 0 ? [notes.map((note) => `- ${note}`).join('\n')] : []),
  ]
}

/** A table whose columns line up in plain text too. The first column is aligned left, the others right. */
export function table(columns, rows) {
  const cells = [columns, ...rows].map((row) => row.map(String))
  const widths = columns.map((_, i) => Math.max(3, ...cells.map((row) => row[i].length)))
  const isText = rows.every((row) => Number.isNaN(Number.parseFloat(row[1])))
  const line = (row) =>
    `| ${row.map((cell, i) => (i === 0 || isText ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`
  const rule = widths.map((width, i) => (i === 0 || isText ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(cells[0]), `| ${rule.join(' | ')} |`, ...cells.slice(1).map(line)].join('\n')
}
