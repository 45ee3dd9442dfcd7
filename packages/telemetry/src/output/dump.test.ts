import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { catalogue } from '../kinds/index.js'
import { KILLED_SHELL, processOf, TIME_NS } from '../kinds/process/testing/processes.js'
import { matchGolden } from '../testing/golden.js'
import { allSamples, anyEvent } from '../testing/samples.js'
import { dumpWriter } from './dump.js'

const dumpOf = dumpWriter(catalogue)

for (const { name, folder, golden } of allSamples) {
  test(`dumpWriter() writes every event of the kind ${name}`, () => {
    matchGolden(`${folder}/testdata/events.dump.txt`, golden.map((event) => `${dumpOf(event)}\n`).join(''))
  })
}

test('dumpWriter() leaves out what is unknown', () => {
  const dumpOfProcess = (process: object): string =>
    dumpOf({ kind: 'snapshot', timeNs: TIME_NS, process } as { kind: string; timeNs: bigint })
  assert.equal(dumpOfProcess(processOf({ pid: 3 })), '->3')
  assert.equal(dumpOfProcess(processOf({ pid: 3, egid: 5, sid: 0 })), '->3\n  PROC\tegid=5 sid=0')
})

test('dumpWriter() adds colours and nothing else', () => {
  for (const event of allSamples.flatMap(({ golden }) => golden)) {
    const coloured = dumpOf(event, { colour: true })
    assert.notEqual(coloured, dumpOf(event))
    // oxlint-disable-next-line no-control-regex -- colours are control sequences
    assert.equal(coloured.replace(/\u001b\[[\d;]+m/g, ''), dumpOf(event))
  }
})

test('dumpWriter() measures an environment of unknown size', () => {
  const process = { ...KILLED_SHELL, envSizeBytes: undefined, env: ['A=é', 'B='] }
  const event = { kind: 'snapshot', timeNs: TIME_NS, process }
  assert.match(dumpOf(event), /\n {2}ENV\tenv_len=8\n/)
})

test('dumpWriter() lets no string begin a line of its own', () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      const [heading, ...lines] = dumpOf(event).split('\n')
      assert.match(heading ?? '', /^->\d+( \([A-Z_+]+\))?$/)
      for (const line of lines) assert.match(line, /^ {2}[A-Z]{3,4}\t[^\p{Cc}\p{Bidi_Control}]+$/u)
    }),
  )
})
