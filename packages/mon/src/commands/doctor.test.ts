import assert from 'node:assert/strict'
import test from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import type { Examination, Finding } from 'quark-telemetry'
import { runCommand } from '../testing/command.js'
import { doctorHelp, doctorOptions, doctorText } from './doctor.js'

const FINDINGS: readonly Finding[] = [
  { topic: 'machine', name: 'kernel', verdict: 'note', found: 'Linux 6.1.0', costs: [] },
  {
    topic: 'rights',
    name: 'capabilities',
    verdict: 'problem',
    found: 'user 1000, without CAP_BPF',
    details: ['no fork: why', 'no exec: why'],
    costs: ['fork', 'exec'],
    fix: 'sudo quark-mon',
  },
  {
    topic: 'features',
    name: 'getCurrentTaskBtf',
    verdict: 'absent',
    found: 'a reason that is so long that it does not fit into one line of a terminal of usual width',
    costs: [],
  },
]
const EXAMINATION: Examination = {
  kernel: '6.1.0',
  architecture: 'x64',
  complete: false,
  backend: 'kprobe',
  findings: FINDINGS,
  trials: [],
}
const PLAIN = { columns: 80, colour: false }

test('doctorText() aligns what was found below headings', () => {
  assert.equal(
    doctorText(EXAMINATION, PLAIN),
    `\
Machine
  note    kernel             Linux 6.1.0

Rights
  problem capabilities       user 1000, without CAP_BPF
                             no fork: why
                             no exec: why
                             costs: fork, exec
                             do: sudo quark-mon

Features
  absent  getCurrentTaskBtf  a reason that is so long that it does not fit into
                             one line of a terminal of usual width

A default run would not be complete, with the backend kprobe. Look at:
capabilities.
`,
  )
})

test('doctorText() is the same text with colours, and lets no escape sequence through', () => {
  const coloured = doctorText(EXAMINATION, { ...PLAIN, colour: true })
  assert.ok(coloured.includes('\x1b[31mproblem \x1b[0mcapabilities'))
  assert.equal(stripVTControlCharacters(coloured), doctorText(EXAMINATION, PLAIN))
  const hostile = { ...FINDINGS[0], found: 'a\x1b[2Jb\n' } as Finding
  const text = doctorText({ ...EXAMINATION, findings: [hostile] }, PLAIN)
  assert.match(text, /note {4}kernel {13}a\\x1b\[2Jb\\n\n/)
})

test('doctorText() ends with what follows', () => {
  const last = (changes: Partial<Examination>): string | undefined =>
    doctorText({ ...EXAMINATION, findings: [], ...changes }, { columns: 120, colour: false })
      .trimEnd()
      .split('\n')
      .at(-1)
  const { backend: _, ...without } = EXAMINATION
  assert.equal(last({ complete: true }), 'A default run would be complete, with the backend kprobe.')
  const none = { ...without, findings: [] }
  assert.match(doctorText(none, PLAIN), /A default run would not work: no backend does\.\n$/)
  const trials = [{ backend: 'audit', outcome: 'notTried', attached: [], missing: [] }] as const
  assert.match(
    doctorText({ ...none, trials }, PLAIN),
    /A default run would depend on what was not tried: audit\.\n$/,
  )
})

test('quark-mon doctor --help names every option, and a wrong one is exit code 2', () => {
  const { code, out } = runCommand(['doctor', '--help'])
  assert.deepEqual({ code, out }, { code: 0, out: doctorHelp(80) })
  for (const { long } of doctorOptions.options) assert.match(out, new RegExp(` --${long}\\b`))
  for (const [arg, message] of [
    ['--jsn', 'Unknown option "--jsn": did you mean --json?'],
    ['now', 'Unexpected argument "now": quark-mon doctor takes options only, see quark-mon doctor --help'],
    ['--colour=red', '--colour cannot be "red": give auto or always or never'],
  ] as const) {
    assert.deepEqual(runCommand(['doctor', arg]), {
      code: 2,
      signal: null,
      out: '',
      err: `quark-mon: ${message}\n`,
    })
  }
})
