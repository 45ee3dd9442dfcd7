import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { Quark } from '../../quark.js'
import { exitingProgram } from '../../testing/elf.js'
import { collectUntilExit, makeDirectory, writeProgram } from '../../testing/scenario.js'

test(
  'an exe and a cwd beyond 4,096 bytes keep their lower parts, with a mark',
  { timeout: 60_000 },
  async (t) => {
    const directory = makeDirectory('deep-paths')
    const program = writeProgram(directory, 'program', exitingProgram(0))
    const name = 'd'.repeat(250)
    t.after(() => {
      // It goes down as the script does, which Node does not.
      spawnSync('rm', ['-rf', directory])
    })
    // No call takes so long a path: the way down is made step by step.
    const script = `i=0; while [ $i -lt 20 ]; do mkdir ${name}; cd -P ./${name} 2>/dev/null || exit 9; i=$((i+1)); done
    cp ${program} ./program && exec ./program`
    await using quark = await Quark.open({ backends: ['ebpf'], holdMs: 50 })
    const child = spawn('/bin/sh', ['-c', script], { cwd: directory, stdio: 'ignore' })
    const events = await collectUntilExit(quark, child.pid ?? 0)
    const last = events.findLast((event) => event.process?.pid === child.pid)?.process
    assert.equal(last?.comm, 'program')
    const lower = new RegExp(`^\\.\\.\\.(/${name}){10,}`)
    assert.match(last.exe ?? '', new RegExp(`${lower.source}/program$`))
    assert.match(last.cwd ?? '', new RegExp(`${lower.source}$`))
    assert.deepEqual([last.exeTruncated, last.cwdTruncated], [true, true])
    assert.ok(quark.stats().truncatedPaths >= 2)
  },
)
