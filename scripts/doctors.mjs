// Runs quark-mon doctor, as it was built, here and on other kernels, and writes the results side by side into docs/doctor.md.
//   node scripts/doctors.mjs [guest…]       a guest: version[:arch][:lockdown], such as 6.12:x64:confidentiality
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const GUESTS = ['6.1', '6.1:x64:confidentiality', '6.12:x64:confidentiality', '6.12:arm64', 'newest']
const DOCTOR = 'packages/mon/bin/quark-mon.cjs doctor --json'
const KERNELS = fileURLToPath(new URL('kernels.mjs', import.meta.url))
const DOCUMENT = new URL('../docs/doctor.md', import.meta.url)
const [BEGIN, END] = ['<!-- doctors: written by node scripts/doctors.mjs -->', '<!-- end of doctors -->']

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

function here() {
  const { status, stdout, stderr } = spawnSync(process.execPath, DOCTOR.split(' '), { encoding: 'utf8' })
  if (stdout === '') throw new Error(`Cannot run quark-mon doctor here: ${stderr}`)
  return { name: 'this machine', exitCode: status, ...JSON.parse(stdout) }
}

/** In a guest the audit backend is tried too: nobody else uses it there. */
function inGuest(wanted) {
  const [version, arch = 'x64', lockdown] = wanted.split(':')
  const args = [
    '--no-build',
    version,
    '--arch',
    arch,
    ...(lockdown === undefined ? [] : ['--lockdown', lockdown]),
  ]
  const { stdout, stderr } = spawnSync(process.execPath, [KERNELS, ...args, `--run=${DOCTOR} --audit`], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  const [json] = /^\{$[^]*?^\}$/m.exec(stdout) ?? []
  if (json === undefined) throw new Error(`Cannot run quark-mon doctor on ${wanted}: ${stdout}${stderr}`)
  const exitCode = Number(/^✖ the command ended with (\d+)$/m.exec(stdout)?.[1] ?? 0)
  const name = `${version} ${arch}${lockdown === undefined ? '' : ` ${lockdown}`}`
  return { name, exitCode, ...JSON.parse(json) }
}

function rowText(cells) {
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
}

function table(head, rows) {
  return [rowText(head), rowText(head.map(() => '---')), ...rows.map(rowText)].join('\n')
}

/** One row for each finding, one column for each machine. */
function sideBySide(examinations) {
  const keys = new Map(
    examinations.flatMap(({ findings }) =>
      findings.map(({ topic, name }) => [`${topic}/${name}`, { topic, name }]),
    ),
  )
  const rows = [...keys.values()].map(({ topic, name }) => [
    topic,
    name,
    ...examinations.map(({ findings }) =>
      cell(findings.find((one) => one.topic === topic && one.name === name)),
    ),
  ])
  return table(
    ['', '', ...examinations.map(({ name }) => name)],
    [
      ['', 'kernel', ...examinations.map(({ kernel }) => kernel)],
      [
        '',
        'a default run',
        ...examinations.map(({ complete }) => (complete ? 'complete' : '**not complete**')),
      ],
      ['', 'its backend', ...examinations.map(({ backend }) => backend ?? 'none')],
      ['', 'exit code', ...examinations.map(({ exitCode }) => exitCode)],
      ...rows.filter(([topic, name]) => topic !== 'machine' || name !== 'kernel'),
    ],
  )
}

function cell(finding) {
  if (finding === undefined) return '—'
  return finding.verdict === 'problem' ? '**problem**' : finding.verdict
}

/** What is not as it should be: what it costs, and what to do. */
function costs(examinations) {
  const rows = examinations.flatMap(({ name, findings }) =>
    findings
      .filter(({ verdict, costs }) => verdict !== 'ok' && costs.length > 0)
      .map((one) => [name, one.name, one.verdict, [...new Set(one.costs)].join(', '), one.fix ?? '']),
  )
  return table(['machine', 'finding', 'verdict', 'costs', 'do'], rows)
}

const wanted = process.argv.slice(2)
const examinations = [here(), ...(wanted.length > 0 ? wanted : GUESTS).map(inGuest)]
const text = `${sideBySide(examinations)}\n\nWhat is not as it should be, and costs something:\n\n${costs(examinations)}`
console.log(text)
if (wanted.length === 0) {
  const document = readFileSync(DOCUMENT, 'utf8')
  const [from, to] = [document.indexOf(BEGIN), document.indexOf(END)]
  if (from < 0 || to < from) throw new Error('Cannot write docs/doctor.md: its markers are missing')
  writeFileSync(DOCUMENT, `${document.slice(0, from)}${BEGIN}\n\n${text}\n\n${document.slice(to)}`)
}
