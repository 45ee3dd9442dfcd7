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
  conclusion: 'A default run would not be complete: with the backend kprobe, without fork, exec.',
  misses: ['fork', 'exec'],
  steps: [{ fix: 'sudo quark-mon', about: ['capabilities'] }],
  findings: FINDINGS,
  trials: [],
}
const PLAIN = { columns: 80, colour: false }

test('doctorText() begins with what follows and what to do, and aligns what was found below headings', () => {
  assert.equal(
    doctorText(EXAMINATION, PLAIN),
    `\
A default run would not be complete: with the backend kprobe, without fork,
exec.

What to do
    sudo quark-mon  (capabilities)

Machine
  note    kernel             Linux 6.1.0

Rights
  problem capabilities       user 1000, without CAP_BPF
                             no fork: why
                             no exec: why
                             costs: fork, exec

Features
  absent  getCurrentTaskBtf  a reason that is so long that it does not fit into
                             one line of a terminal of usual width
`,
  )
})

test('doctorText() writes no paragraph twice', () => {
  const absent = { topic: 'features', verdict: 'absent', found: 'no room for it', costs: [] } as const
  const fix = 'mount -t tracefs tracefs /sys/kernel/tracing'
  const findings: Finding[] = [
    { ...absent, name: 'fentry', details: ['since Linux 5.5'] },
    { ...absent, name: 'fexit', details: ['since Linux 5.5'] },
    { ...absent, name: 'lsm', details: ['since Linux 5.7'], fix },
    { ...absent, topic: 'backends', name: 'kprobe', details: ['since Linux 5.5'], fix },
  ]
  const steps = [{ fix: 'sudo quark-mon', about: ['capabilities', 'ebpf'] }]
  assert.equal(
    doctorText({ ...EXAMINATION, steps, findings }, PLAIN)
      .split('\n')
      .slice(6)
      .join('\n'),
    `\
Features
  absent  fentry, fexit
                             no room for it
                             since Linux 5.5
  absent  lsm                as fentry
                             since Linux 5.7
                             do: mount -t tracefs tracefs /sys/kernel/tracing

Backends
  absent  kprobe             as fentry
                             as fentry
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
