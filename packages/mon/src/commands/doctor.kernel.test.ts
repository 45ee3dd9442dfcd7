import assert from 'node:assert/strict'
import test from 'node:test'
import type { Examination, Finding } from 'quark-telemetry'
import { runCommand } from '../testing/command.js'

const NOBODY = 65_534

function examinationOf(out: string): Examination {
  return JSON.parse(out) as Examination
}

function findingOf({ findings }: Examination, name: string): Finding {
  return findings.find((finding) => finding.name === name) ?? assert.fail(`no finding ${name}`)
}

test('doctor tries everything, exits by whether a default run would be complete, and is right', () => {
  const { code, out, err } = runCommand(['doctor', '--json'])
  assert.equal(err, '')
  const examination = examinationOf(out)
  assert.equal(code, examination.complete ? 0 : 1)
  assert.equal(findingOf(examination, 'capabilities').verdict, 'ok')
  assert.equal(findingOf(examination, 'ringbuf').verdict, 'ok')
  // Every kernel that is tested lets one backend work, and what it cannot do is reported.
  const chosen = examination.trials.find(({ backend }) => backend === examination.backend)
  assert.equal(chosen?.outcome, 'works')
  for (const fact of ['fork', 'exec', 'exit']) {
    assert.ok(chosen?.attached.some((attached) => attached.fact === fact))
  }
  const problems = examination.findings.filter(({ verdict }) => verdict === 'problem')
  assert.equal(examination.complete, problems.length === 0)
  for (const { name, costs } of problems) assert.notDeepEqual(costs, [], name)

  const run = runCommand(['-s', '-v', '--duration=0.1'])
  assert.equal(run.code, 0, run.err)
  assert.ok(run.err.includes(`quark-mon: backend ${examination.backend} on kernel`), run.err)
  if (examination.complete) assert.doesNotMatch(run.err, /^quark-mon: no (?!backend )/m)
})

test('as nobody doctor says what it needs and what it cannot know, and exits 1', () => {
  const { code, out, err } = runCommand(['doctor', '--json'], NOBODY)
  assert.deepEqual({ code, err }, { code: 1, err: '' })
  const examination = examinationOf(out)
  assert.equal(examination.complete, false)
  const { verdict, found, fix } = findingOf(examination, 'capabilities')
  assert.equal(verdict, 'problem')
  assert.match(found, /^user 65534, without CAP_/)
  assert.equal(fix, 'sudo quark-mon')
  assert.equal(findingOf(examination, 'tpBtf').verdict, 'unknown')
  const ebpf = findingOf(examination, 'ebpf')
  assert.equal(ebpf.verdict, 'problem')
  assert.match(ebpf.found, /run as root or grant CAP_/)
})
