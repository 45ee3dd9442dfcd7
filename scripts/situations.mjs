// Makes situations with each sort of rungs, on this machine or on other kernels, and writes the table of what was seen of
// them. Kernels that are not run keep their columns. The scripts of tables share it; each takes [here | version…].
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

/** Builds of one version are one kernel. */
const versionOf = (kernel) => kernel.replace(/^(\d+\.\d+(\.\d+)?).*/, '$1')
const compare = new Intl.Collator('en', { numeric: true }).compare
const line = (cells) => `| ${cells.join(' | ')} |`

/** A table between its two markers. */
export const BEGIN = (script) => `<!-- made by scripts/${script}: table -->`
export const END = '<!-- end of table -->'

/**
 * @param script name of the script, as the marker in the page has it
 * @param program that writes lines `@@row {…}`, the rows of packages/telemetry/src/testing/situation-rows.ts
 * @param rowsFile keeps the rows of all kernels
 * @param page with the markers
 * @param rungs titles of the sorts of rungs, best first
 * @param isEvent whether a note is an event that was not seen: those are counted
 */
export function runSituations({ script, program, rowsFile, page, rungs, isEvent = () => false }) {
  process.chdir(new URL('..', import.meta.url).pathname)
  let rows = read(rowsFile)
  let failed = false
  for (const name of process.argv.slice(2)) {
    const found = rowsOf(name === 'here' ? [program] : guest(name, program))
    const ran = found.filter((row) => row.situation !== undefined)
    const wrong = ran.filter(({ verdict }) => verdict === 'wrong')
    console.log(`${name}: ${ran.length} situations, ${wrong.length} wrong`)
    for (const { rung, situation, notes } of wrong)
      console.log(`✖ ${rung}, ${situation}: ${notes.join('; ')}`)
    if (ran.length === 0 || wrong.length > 0) failed = true
    const kernels = new Set(found.map(({ kernel }) => versionOf(kernel)))
    rows = [...rows.filter(({ kernel }) => !kernels.has(versionOf(kernel))), ...found]
  }
  writeFileSync(rowsFile, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const text = readFileSync(page, 'utf8')
  const [before] = text.split(BEGIN(script))
  const [, after] = text.split(END)
  const tables = [...new Set(rows.map(({ group }) => group))].map((group) => {
    const own = rows.filter((row) => row.group === group)
    return `${group === undefined ? '' : `## ${group}\n\n`}${tableOf(own, rungs, isEvent)}`
  })
  writeFileSync(page, `${before}${BEGIN(script)}\n\n${tables.join('\n\n')}\n\n${END}${after}`)
  process.exitCode = failed ? 1 : 0
}

function guest(version, program) {
  return ['scripts/kernels.mjs', version, '--python', '--no-build', `--run=${program}`]
}

/** The rows that a run wrote; what else it said goes to this terminal. */
function rowsOf(args) {
  const { stdout } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 26,
  })
  return stdout.split('\n').flatMap((text) => (text.startsWith('@@row ') ? [JSON.parse(text.slice(6))] : []))
}

function read(file) {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((text) => text !== '')
    .map((text) => JSON.parse(text))
}

function cellOf(row, isEvent) {
  if (row === undefined) return ''
  if (row.verdict === 'right') return 'right'
  const notes = row.notes.map((note) => note.replaceAll('|', '\\|'))
  const unseen = notes.filter(isEvent)
  const lacks = notes.filter((note) => !unseen.includes(note))
  if (row.verdict === 'wrong') return `**wrong**: ${notes[0]}`
  return `no ${[...lacks, ...(unseen.length === 0 ? [] : [`event for ${unseen.length}`])].join(', no ')}`
}

/** A column for each kernel and sort of rungs that it has. */
function tableOf(rows, rungs, isEvent) {
  const order = Object.keys(rungs)
  const ran = rows.filter((row) => row.situation !== undefined)
  const columns = [...new Set(ran.map(({ kernel, rung }) => `${kernel} ${rung}`))].toSorted((a, b) => {
    const [[kernelA, rungA], [kernelB, rungB]] = [a.split(' '), b.split(' ')]
    return compare(kernelA, kernelB) || order.indexOf(rungA) - order.indexOf(rungB)
  })
  const cells = new Map(ran.map((row) => [`${row.kernel} ${row.rung} ${row.situation}`, row]))
  const title = (column) => {
    const [kernel, rung] = column.split(' ')
    return `${versionOf(kernel)} ${rungs[rung]}`
  }
  const absent = rows.filter((row) => row.absent !== undefined)
  return [
    line(['situation', ...columns.map(title)]),
    line(['---', ...columns.map(() => '---')]),
    ...[...new Set(ran.map(({ situation }) => situation))].map((situation) =>
      line([situation, ...columns.map((column) => cellOf(cells.get(`${column} ${situation}`), isEvent))]),
    ),
    ...(absent.length === 0 ? [] : ['', 'What a kernel does not have:', '']),
    ...absent
      .toSorted((a, b) => compare(a.kernel, b.kernel))
      .map(({ kernel, rung, absent: reason }) => `- ${versionOf(kernel)}, ${rungs[rung]}: ${reason}`),
  ].join('\n')
}
