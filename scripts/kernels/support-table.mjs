/** Writes what the guests could learn, and how, into the documentation. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'

const FACTS = ['fork', 'exec', 'exit', 'commChange', 'idChange', 'cgroupNames', 'threads', 'failedExecs']
const HEAD = ['kernel', 'release', 'tests', ...FACTS]
const BACKENDS = ['ebpf', 'kprobe', 'procConnector', 'audit']
const BACKENDS_HEAD = ['kernel', ...BACKENDS]
const FEATURES_HEAD = ['kernel', 'has', 'lacks']
const MISSING_HEAD = ['kernel', 'missing', 'reason']

/**
 * Rows of kernels that this run had nothing to do with stay as they are.
 *
 * @param which stands behind the numbers of tests, when not all were run
 */
export function writeSupportTable(path, runs, which) {
  const known = runs.filter(({ support }) => support !== undefined)
  if (known.length === 0 || !existsSync(path)) return
  let text = readFileSync(path, 'utf8')
  text = replaceTable(text, 'facts', HEAD, known, (run) => factRows(run, which))
  text = replaceTable(text, 'backends', BACKENDS_HEAD, known.filter(isTested), backendRows)
  text = replaceTable(text, 'missing', MISSING_HEAD, known, missingRows)
  text = replaceTable(text, 'features', FEATURES_HEAD, known, featureRows)
  writeFileSync(path, text)
}

function replaceTable(text, name, head, runs, rowsOf) {
  const [begin, end] = [`<!-- ${name}: written by npm run test:kernels -->`, `<!-- end of ${name} -->`]
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`Cannot write the table "${name}": its markers are missing`)
  const rerun = new Set(runs.map((run) => run.name))
  const kept = text
    .slice(from, to)
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2)
    .filter((line) => !rerun.has(line.split('|')[1].trim()))
  const rows = [...kept, ...runs.flatMap(rowsOf).map(rowText)]
  const order = new Intl.Collator('en', { numeric: true })
  rows.sort((a, b) => order.compare(a.split('|')[1].trim(), b.split('|')[1].trim()))
  const table = [rowText(head), rowText(head.map(() => '---')), ...rows].join('\n')
  return `${text.slice(0, from)}${begin}\n\n${table}\n\n${text.slice(to)}`
}

function rowText(cells) {
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
}

function factRows({ name, release, passed, failures, support }, which) {
  const cells = FACTS.map((fact) => {
    const hooks = support.attached.filter((one) => one.fact === fact)
    const flavors = [...new Set(hooks.map(({ hook, flavor }) => `${hook.split('/')[0]} ${flavor}`))]
    return flavors.length > 0 ? flavors.join(', ') : '—'
  })
  const tests = passed === 0 ? 'not run' : `${passed} passed, ${failures.length} failed${which}`
  return [[name, release, tests, ...cells]]
}

/** A run of the facts alone, or of some tests, says nothing of what was not run. */
function isTested({ scenarios }) {
  return BACKENDS.every((backend) => scenarios[backend] !== undefined)
}

function backendRows({ name, scenarios, support }) {
  return [[name, ...BACKENDS.map((backend) => support.refusals[backend] ?? scenarios[backend])]]
}

function missingRows({ name, support }) {
  return support.missing.map(({ fact, reason }) => [name, fact, reason])
}

function featureRows({ name, support }) {
  const names = (wanted) =>
    support.features.filter(({ supported }) => supported === wanted).map((one) => one.name)
  return [[name, names(true).join(', '), names(false).join(', ') || 'nothing']]
}
