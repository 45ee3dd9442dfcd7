import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { BTF_TARGETS } from 'quark-telemetry'
import { runBtf } from '../testing/command.js'
import { btfHelp, targetLine } from './text.js'

const target = (name: string, offset: number | undefined) => ({ name, alternatives: [], offset, found: name })

test('a line is the name in a column, one space, the offset in seven columns, and bits', () => {
  const name = 'cred.uid                  '
  assert.equal(name.length, Math.max(...BTF_TARGETS.map(({ name }) => name.length)))
  assert.equal(targetLine(target('cred.uid', 8), false), `${name} 8      \n`)
  assert.equal(targetLine(target('cred.uid', 1234), true), `${name} 1234   9872\n`)
  assert.equal(targetLine(target('cred.uid', undefined), false), `${name} U      \n`)
  assert.equal(targetLine(target('cred.uid', undefined), true), `${name} U      U\n`)
})

test('quark-btf --help and --version', () => {
  for (const args of [['-h'], ['--help'], ['--nonsense', '-h']]) {
    assert.deepEqual(runBtf(args), { code: 0, signal: null, out: btfHelp(80), err: '' })
  }
  assert.match(runBtf(['-V']).out, /^quark-btf \d+\.\d+\.\d+\n$/)
})

test('a wrong command line is one line on standard error, and exit code 2', () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [['-f', 'a', '-l', 'b'], '-f and -l contradict each other: give one of them'],
    [['-g', 'a', '--file=b'], '--file and -g contradict each other: give one of them'],
    [['-l', 'a', '--generate=b'], '--generate and -l contradict each other: give one of them'],
    [
      ['-g', 'a', 'b'],
      '-g needs a name and a version: give -g a NAME VERSION, such as debian 6.1.0-18-amd64',
    ],
    [['-l', 'a', 'b'], '-l takes no targets: remove "b"'],
    [['-f'], '-f needs a value: give -f FILE'],
    [['cred.eiud'], 'Unknown target "cred.eiud": did you mean cred.euid?'],
    [['--bit'], 'Unknown option "--bit": did you mean --bits?'],
  ]
  for (const [args, message] of cases) {
    assert.deepEqual(runBtf(args), { code: 2, signal: null, out: '', err: `quark-btf: ${message}\n` })
  }
})

test('-l names the kernel of the known offsets, with -v also its offsets, and fails when there is none', () => {
  const known = { x64: '6.1.0-56-cloud-amd64', arm64: '6.1.0-56-cloud-arm64' }[
    process.arch as 'x64' | 'arm64'
  ]
  assert.deepEqual(runBtf(['-l', known]), { code: 0, signal: null, out: `debian ${known}\n`, err: '' })
  const { code, out } = runBtf(['-v', '--lookup', known])
  assert.equal(code, 0)
  assert.equal(out.split('\n').length, BTF_TARGETS.length + 2)
  const none = runBtf(['-l', '1.2.3\x1b[31m'])
  assert.equal(none.code, 1)
  assert.match(none.err, /^quark-btf: No kernel of the known offsets serves for "1\.2\.3\\x1b\[31m"/)
})

test('what -f cannot read is an error that names the file', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'quark-btf-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'broken')
  assert.match(
    runBtf(['-f', path]).err,
    /^quark-btf: Cannot read BTF from ".*\/broken": ENOENT .*\n {2}because: .*there is no such file/,
  )
  for (const bytes of [[], [0x9f, 0xeb, 1, 0], [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1], [1, 2, 3, 4, 5, 6, 7, 8]]) {
    writeFileSync(path, Uint8Array.from(bytes))
    const { code, out, err } = runBtf(['-f', path])
    assert.deepEqual({ code, out }, { code: 1, out: '' })
    assert.ok(err.includes(path), err)
  }
})
