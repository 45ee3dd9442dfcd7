import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { helpText } from './help.js'
import { runCommand } from './testing/command.js'

test('quark-mon --help writes the help text, and so does quark-mon help', () => {
  for (const args of [['--help'], ['-h'], ['help']]) {
    assert.deepEqual(runCommand(args), { code: 0, signal: null, out: helpText(80), err: '' })
  }
})

test('quark-mon --version writes the version of the package', () => {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(text) as { version: string }
  assert.deepEqual(runCommand(['-V']), { code: 0, signal: null, out: `quark-mon ${version}\n`, err: '' })
})

test('quark-mon refuses a wrong command line with one line and exit code 2', () => {
  const err = 'quark-mon: Unknown option "--jsn": did you mean --json?\n'
  assert.deepEqual(runCommand(['--jsn']), { code: 2, signal: null, out: '', err })
})

test('quark-mon names the file that it cannot write or read', () => {
  for (const option of ['--output', '--process-graph', '--replay']) {
    const { code, out, err } = runCommand([`${option}=/nonexistent/file`])
    assert.deepEqual({ code, out }, { code: 1, out: '' })
    assert.match(
      err,
      /^quark-mon: .*\/nonexistent\/file.*there is no such file or directory \(ENOENT; check the path\)/,
    )
    assert.doesNotMatch(err, /^ {4}at |ENOENT:/m)
  }
})
