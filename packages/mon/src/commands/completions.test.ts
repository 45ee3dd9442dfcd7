import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import test from 'node:test'
import { completions, SHELLS } from '../completions.js'
import { runCommand } from '../testing/command.js'
import { COMPLETED } from './completions.js'

/** What a real bash offers for a command line, whose last word is being written. */
function offered(...words: string[]): string[] {
  const script = `
    ${completions('bash', COMPLETED)}
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    "_\${1//-/_}"
    printf '%s\\n' "\${COMPREPLY[@]}"`
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...words], {
    encoding: 'utf8',
    cwd: '/',
  })
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' })
  return stdout.split('\n').filter((line) => line !== '')
}

test('bash completes options, the words of choices, files, commands and what is run', () => {
  const cases: readonly (readonly [readonly string[], readonly string[]])[] = [
    [['quark-mon', '--col'], ['--colour']],
    [['quark-mon', 'doc'], ['doctor']],
    [['quark-mon', '-s', 'doc'], []],
    // The shell splits at "=".
    [
      ['quark-mon', '--colour', '='],
      ['auto', 'always', 'never'],
    ],
    [
      ['quark-mon', '--colour', '=', 'a'],
      ['auto', 'always'],
    ],
    [['quark-mon', '--colour', 'nev'], ['never']],
    [['quark-mon', '--backend', 'kp'], ['kprobe']],
    [['quark-mon', '-o', '/et'], ['/etc']],
    [['quark-mon', '--count', ''], []],
    [['quark-mon', '--env', '--usa'], ['--usage']],
    [['quark-mon', 'doctor', '--aud'], ['--audit']],
    [['quark-mon', 'doctor', '--replay'], []],
    [
      ['quark-mon', 'completions', ''],
      ['-h', '--help', ...SHELLS],
    ],
    [['quark-mon', '--', 'cat', '/et'], ['/etc']],
    [['quark-btf', '--look'], ['--lookup']],
  ]
  for (const [words, expected] of cases) {
    assert.deepEqual(offered(...words).sort(), [...expected].sort(), words.join(' '))
  }
  assert.ok(offered('quark-mon', '--', 'ca').includes('cat'))
})

for (const shell of SHELLS) {
  test(`the completions for ${shell} have every option of every command`, () => {
    const { code, out, err } = runCommand(['completions', shell])
    assert.deepEqual({ code, err }, { code: 0, err: '' })
    for (const { options } of COMPLETED) {
      for (const { long, short } of options) {
        assert.match(out, new RegExp(shell === 'fish' ? ` -l ${long} ` : `--${long}\\b`), long)
        if (short !== undefined)
          assert.match(out, new RegExp(shell === 'fish' ? ` -s ${short} ` : `-${short}\\b`))
      }
    }
    // Words of the declarations must not end the quotes that they stand in.
    assert.equal((out.replaceAll("'\\''", '').match(/'/g) ?? []).length % 2, 0)
  })
}

test('an unknown shell is a usage error that suggests', () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [[], 'quark-mon completions needs a shell: give bash or zsh or fish'],
    [['bsh'], 'Unknown shell "bsh": did you mean bash?'],
    [['powershell'], 'Unknown shell "powershell": give bash or zsh or fish'],
    [['bash', 'zsh'], 'Unknown shell "bash zsh": give bash or zsh or fish'],
  ]
  for (const [args, message] of cases) {
    const { code, out, err } = runCommand(['completions', ...args])
    assert.deepEqual({ code, out, err }, { code: 2, out: '', err: `quark-mon: ${message}\n` })
  }
})
