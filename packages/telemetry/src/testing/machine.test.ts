import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import {
  crowdProgram,
  dyingProgram,
  exitingProgram,
  forkingProgram,
  parseEnded,
  spawningProgram,
} from './elf.js'
import { arm64, machineOf, x64 } from './machine.js'
import { makeDirectory, writeProgram } from './scenario.js'

/** The code of a program: from its entry point to its end. */
function codeOf(program: Buffer): Buffer {
  return program.subarray(Number(program.readBigUInt64LE(24)) - 0x400000)
}

test('a program that ends is the code that an assembler would make', () => {
  const sleep = { x64: 5 + (3 * 5 + 6 + 7) + 8, arm64: 8 + 4 * 8 + 8 + 4 + 8 }
  const x64Code = codeOf(exitingProgram(3, x64))
  assert.equal(x64Code.subarray(0, 12).toString('hex'), 'bf03000000b8e70000000f05')
  assert.equal(x64Code.length, 12 + sleep.x64)
  const arm64Code = codeOf(exitingProgram(3, arm64))
  // mov w0, #3; movk w0, #0, lsl #16; mov w8, #94; movk w8, #0, lsl #16; svc #0
  assert.equal(arm64Code.subarray(0, 20).toString('hex'), '600080520000a072c80b80520800a072010000d4')
  assert.equal(arm64Code.length, 20 + sleep.arm64)
})

test('branches of AArch64 lead to the code of the child and back to the loop', () => {
  const code = codeOf(forkingProgram({ count: 2, machine: arm64 }, { status: 0 }))
  const words = Array.from({ length: code.length / 4 }, (_, index) => code.readUInt32LE(index * 4))
  const distance = (word: number): number => (word << 8) >> 13
  const cbz = words.findIndex((word) => word >>> 24 === 0xb4)
  const cbnz = words.findIndex((word) => word >>> 24 === 0x35)
  // The child is the last five instructions: exit_group(0).
  assert.equal(cbz + distance(words[cbz]!), words.length - 5)
  // The loop begins after the two instructions that set the counter.
  assert.equal(cbnz + distance(words[cbnz]!), 2)
})

test('programs run here and report how their children ended', (t) => {
  const directory = makeDirectory('machine')
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const machine = machineOf()
  const write = (name: string, program: Buffer): string => writeProgram(directory, name, program)
  const end = write('end', exitingProgram(5, machine))
  const rows = {
    status: { program: forkingProgram({ count: 3 }, { status: 7 }), expected: 7 << 8 },
    signal: { program: forkingProgram({ count: 3 }, { signal: 9 }), expected: 9 },
    exec: { program: spawningProgram({ count: 3 }, [end, 'x']), expected: 5 << 8 },
    missing: { program: spawningProgram({ count: 3 }, [`${end}-missing`]), expected: 127 << 8 },
    crowd: { program: crowdProgram({ count: 3 }, 9), expected: 9 << 8 },
  }
  for (const [name, { program, expected }] of Object.entries(rows)) {
    const { status, stdout } = spawnSync(write(name, program))
    assert.equal(status, 0, name)
    const ended = parseEnded(stdout)
    assert.equal(new Set(ended.map(({ pid }) => pid)).size, 3, name)
    assert.deepEqual(
      ended.map((one) => one.status),
      [expected, expected, expected],
      name,
    )
  }
  assert.equal(spawnSync(write('dying', dyingProgram(15))).signal, 'SIGTERM')
  assert.throws(() => machineOf('mips'), RangeError)
})
