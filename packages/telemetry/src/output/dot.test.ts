import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { catalogue } from '../kinds/index.js'
import { bufferGraphWriter } from './dot.js'
import { processGraph } from '../outputs.js'
import { anyProcess } from '../kinds/process/testing/arbitraries.js'
import { INIT, KILLED_SHELL, processOf } from '../kinds/process/testing/processes.js'
import { matchGolden } from '../testing/golden.js'

test('processGraph() draws a box per process and an edge per parent', () => {
  matchGolden(
    'output/testdata/processes.dot',
    processGraph([INIT, KILLED_SHELL, processOf({ pid: 5000, ppid: 4242 })]),
  )
})

test('bufferGraphWriter() chains the records of a process in the order of time', () => {
  const bufferGraph = bufferGraphWriter(catalogue)
  const records = [
    { pid: 7, timeNs: 30, type: 'exec' },
    { pid: 7, timeNs: 10, type: 'fork' },
    { pid: 8, timeNs: 20n, type: 'cgroupMkdir' },
    { pid: 7, timeNs: 40, type: 'exit' },
  ]
  matchGolden('output/testdata/buffer.dot', bufferGraph(records, 'pidTime'))
  matchGolden('output/testdata/buffer-by-time.dot', bufferGraph(records, 'time'))
})

test('processGraph() lets no string end its label', () => {
  fc.assert(
    fc.property(anyProcess, (process) => {
      const lines = processGraph([process]).split('\n')
      const nodes = lines.filter((line) => line.includes('label='))
      assert.equal(nodes.length, 1)
      assert.match(nodes[0] ?? '', /^ {2}\d+ \[label="(?:[^"\\]|\\.)*", fillcolor=\w+\];$/)
    }),
  )
})
