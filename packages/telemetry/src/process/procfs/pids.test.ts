import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { hasKernelPids, procProblem } from './pids.js'

const INITIAL = 'pid:[4026531836]'
const OTHER = 'pid:[4026532000]'
const KTHREADD = `2 (kthreadd) S 0 0 0 0 -1 2129984 ${'0 '.repeat(10)}1 0 5 0 `
const SHELL = `2 (sh) S 0 2 2 0 -1 4194560 ${'0 '.repeat(10)}1 0 5 0 `

test('hasKernelPids() goes by the first process, then by kernel threads, then by this process', async (t) => {
  const cases: Record<string, { first?: string; second?: string; self?: string; expected: boolean }> = {
    'the initial namespace': { first: INITIAL, self: INITIAL, expected: true },
    'another namespace': { first: OTHER, self: OTHER, expected: false },
    "another namespace with the host's /proc": { first: INITIAL, self: OTHER, expected: true },
    'the initial namespace with the /proc of a container': { first: OTHER, self: INITIAL, expected: false },
    'no rights over the first process, and kernel threads': { second: KTHREADD, self: OTHER, expected: true },
    'no rights over the first process, and no kernel threads': {
      second: SHELL,
      self: INITIAL,
      expected: false,
    },
    'other processes are hidden': { self: INITIAL, expected: true },
    'other processes are hidden, in another namespace': { self: OTHER, expected: false },
    'nothing is mounted': { expected: false },
  }
  for (const [name, { first, second, self, expected }] of Object.entries(cases)) {
    await t.test(name, (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'quark-proc-'))
      t.after(() => rmSync(folder, { recursive: true }))
      for (const [pid, link] of Object.entries({ 1: first, self })) {
        if (link === undefined) continue
        mkdirSync(join(folder, pid, 'ns'), { recursive: true })
        symlinkSync(link, join(folder, pid, 'ns/pid'))
      }
      if (second !== undefined) {
        mkdirSync(join(folder, '2'))
        writeFileSync(join(folder, '2/stat'), second)
      }
      assert.equal(hasKernelPids(folder), expected)
      const problem = procProblem(folder) ?? ''
      assert.match(problem, expected ? /^$/ : self === undefined ? /not mounted/ : /another pid namespace/)
    })
  }
})
