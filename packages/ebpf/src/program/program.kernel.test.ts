import assert from 'node:assert/strict'
import { Session } from 'node:inspector/promises'
import { constants } from 'node:os'
import { ClosedError } from '../errors.js'
import { KernelError, VerifierError } from '../sys/errors.js'
import { Program } from './program.js'
import { BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_PROG_TYPE_SOCKET_FILTER } from './types.js'
import { Fd } from '../sys/fd.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import * as b from '../testing/instructions.js'
import { kernelTest } from '../testing/kernel-test.js'

expectNoLeaks()

const type = BPF_PROG_TYPE_SOCKET_FILTER
const packet = new Uint8Array(64)

kernelTest('a program loads, describes itself and runs', '4.18', () => {
  using program = Program.load({ name: 'answers.42/longer', type, code: b.returns(42) })
  assert.equal(program.name, 'answers_42_long')
  assert.equal(program.testRun({ packet }).returnValue, 42)
  const info = program.info()
  assert.equal(info.name, 'answers_42_long')
  assert.match(info.tag, /^[0-9a-f]{16}$/)
  assert.ok(info.id > 0 && info.translatedSizeBytes >= 16 && info.loadTimeNs > 0)
  assert.equal(info.recursionMisses, 0)
  assert.deepEqual(program.verifierLog, [])
})

kernelTest('the number of verified instructions is reported', '5.16', () => {
  using program = Program.load({ name: 'two', type, code: b.returns(1) })
  assert.equal(program.info().verifiedInstructions, 2)
})

kernelTest('the log of an accepted program is there when asked for', '4.18', () => {
  using program = Program.load({ name: 'logged', type, code: b.returns(1), logLevel: 1 })
  assert.ok(program.verifierLog.some((line) => line.includes('processed 2 insns')))
})

kernelTest('a refused program is a VerifierError with log and declaration', '4.18', () => {
  const code = b.program(b.copy(0, 3), b.exit())
  const before = Fd.openCount()
  assert.throws(
    () => Program.load({ name: 'bad', type, code, declaration: 'probe(x)' }),
    (error) => {
      assert.ok(error instanceof VerifierError)
      assert.equal(error.errno, constants.errno.EACCES)
      assert.ok(error.log.some((line) => line.includes('R3 !read_ok')))
      assert.match(error.message, /^Cannot load program "bad": .*R3 !read_ok.*declared as probe\(x\)$/)
      return true
    },
  )
  assert.equal(Fd.openCount(), before)
})

kernelTest('a log larger than the first buffer is complete', '4.18', () => {
  const filler = Array.from({ length: 3000 }, (_, i) => b.move(i % 6, i))
  const code = b.program(...filler, b.copy(0, 9), b.exit())
  assert.throws(
    () => Program.load({ name: 'long', type, code }),
    (error) =>
      error instanceof VerifierError &&
      error.log.length > 3000 &&
      error.log.some((line) => line.includes('R9 !read_ok')),
  )
})

kernelTest('a refusal of another kind is a KernelError with the command', '4.18', () => {
  assert.throws(
    () => Program.load({ name: 'unknown', type: 9999, code: b.returns(0) }),
    (error) =>
      error instanceof KernelError &&
      error.message.startsWith('Cannot load program "unknown": bpf(BPF_PROG_LOAD) failed with'),
  )
})

kernelTest('code that is no whole number of instructions is refused', '4.18', () => {
  for (const code of [new Uint8Array(0), new Uint8Array(12)]) {
    assert.throws(() => Program.load({ name: 'cut', type, code }), RangeError)
  }
})

kernelTest('raw tracepoint programs run on a context of our own', '5.10', () => {
  const code = b.program(b.load64(0, 1, 8), b.exit())
  using program = Program.load({ name: 'second', type: BPF_PROG_TYPE_RAW_TRACEPOINT, code })
  const context = new Uint8Array(BigUint64Array.of(1n, 77n).buffer)
  assert.equal(program.testRun({ context }).returnValue, 77)
})

kernelTest('every method of a closed program throws ClosedError', '4.18', () => {
  const program = Program.load({ name: 'gone', type, code: b.returns(0) })
  program.close()
  program.close()
  assert.throws(() => program.info(), ClosedError)
  assert.throws(() => program.testRun({ packet }), ClosedError)
})

kernelTest('a program loads while a profiler interrupts this thread all the time', '4.18', async () => {
  // Long enough to be interrupted many times while the verifier walks through it.
  const filler = Array.from({ length: 60_000 }, (_, i) => b.move(i % 6, i))
  const code = b.program(...filler, b.move(0, 0), b.exit())
  const profiler = new Session()
  profiler.connect()
  await profiler.post('Profiler.enable')
  await profiler.post('Profiler.setSamplingInterval', { interval: 50 })
  await profiler.post('Profiler.start')
  try {
    for (let i = 0; i < 5; i += 1) {
      Program.load({ name: 'profiled', type, code }).close()
    }
  } finally {
    await profiler.post('Profiler.stop')
    profiler.disconnect()
  }
})
