// Makes every situation of sockets with each sort of rungs, on this machine or on other kernels, and writes the table of
// docs/sockets-table.md. Kernels that are not run keep their columns.
//   node scripts/sockets.mjs [here | version…] [--render]
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const PROGRAM = 'packages/telemetry/dist/kinds/socket/testing/table-run.js'
const ROWS = 'docs/captures/sockets.ndjson'
const TABLE = 'docs/sockets-table.md'
const BEGIN = '<!-- made by scripts/sockets.mjs: table -->'
const END = '<!-- end of table -->'
const RUNGS = { functions: 'fexit', kprobes: 'kprobes', cgroups: 'cgroups', states: 'tracepoints' }

process.chdir(new URL('..', import.meta.url).pathname)

/** The rows that a run wrote, and what else it said. */
function rowsOf({ stdout }) {
  return stdout.split('\n').flatMap((line) => (line.startsWith('@@row ') ? [JSON.parse(line.slice(6))] : []))
}

function runHere() {
  return spawnSync(process.execPath, [PROGRAM], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}

function runGuest(version) {
  const args = ['scripts/kernels.mjs', version, '--python', '--no-build', `--run=${PROGRAM}`]
  return spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}

function read(file) {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

const compare = new Intl.Collator('en', { numeric: true }).compare

function cellOf(row) {
  if (row === undefined) return ''
  if (row.verdict === 'right') return 'right'
  const notes = row.notes.map((note) => note.replaceAll('|', '\\|'))
  const unseen = notes.filter((note) => note.includes(' by '))
  const lacks = notes.filter((note) => !unseen.includes(note))
  if (row.verdict === 'wrong') return `**wrong**: ${notes[0]}`
  return `no ${[...lacks, ...(unseen.length === 0 ? [] : [`event for ${unseen.length}`])].join(', no ')}`
}

/** A column for each kernel and sort of rungs that it has. */
function tableOf(rows) {
  const ran = rows.filter((row) => row.situation !== undefined)
  const columns = [...new Set(ran.map(({ kernel, rung }) => `${kernel} ${rung}`))].toSorted((a, b) => {
    const [[kernelA, rungA], [kernelB, rungB]] = [a.split(' '), b.split(' ')]
    const order = Object.keys(RUNGS)
    return compare(kernelA, kernelB) || order.indexOf(rungA) - order.indexOf(rungB)
  })
  const situations = [...new Set(ran.map(({ situation }) => situation))]
  const title = (column) => {
    const [kernel, rung] = column.split(' ')
    return `${kernel.replace(/^(\d+\.\d+(\.\d+)?).*/, '$1')} ${RUNGS[rung]}`
  }
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [
    line(['situation', ...columns.map(title)]),
    line(['---', ...columns.map(() => '---')]),
    ...situations.map((situation) =>
      line([
        situation,
        ...columns.map((column) =>
          cellOf(ran.find((row) => row.situation === situation && `${row.kernel} ${row.rung}` === column)),
        ),
      ]),
    ),
    '',
    'What a kernel does not have:',
    '',
    ...rows
      .filter((row) => row.absent !== undefined)
      .toSorted((a, b) => compare(a.kernel, b.kernel))
      .map(({ kernel, rung, absent }) => `- ${kernel}, ${RUNGS[rung]}: ${absent}`),
  ].join('\n')
}

const wanted = process.argv.slice(2).filter((argument) => argument !== '--render')
let rows = read(ROWS)
let failed = false
for (const name of wanted) {
  const run = name === 'here' ? runHere() : runGuest(name)
  const found = rowsOf(run)
  const ran = found.filter((row) => row.situation !== undefined)
  const wrong = ran.filter(({ verdict }) => verdict === 'wrong')
  console.log(`${name}: ${ran.length} situations, ${wrong.length} wrong`)
  for (const { rung, situation, notes } of wrong) console.log(`✖ ${rung}, ${situation}: ${notes.join('; ')}`)
  if (ran.length === 0 || wrong.length > 0) failed = true
  const kernels = new Set(found.map(({ kernel }) => kernel))
  rows = [...rows.filter(({ kernel }) => !kernels.has(kernel)), ...found]
}
writeFileSync(ROWS, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
const text = readFileSync(TABLE, 'utf8')
const [before] = text.split(BEGIN)
const [, after] = text.split(END)
writeFileSync(TABLE, `${before}${BEGIN}\n\n${tableOf(rows)}\n\n${END}${after}`)
process.exitCode = failed ? 1 : 0
