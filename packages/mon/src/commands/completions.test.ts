import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { completions, type Shell, SHELLS } from '../completions.js'
import { runCommand } from '../testing/command.js'
import { hasTerminals, Terminal } from '../testing/terminal.js'
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

/** Command lines whose last word only one word completes, and that word. */
const COMPLETED_LINES: readonly (readonly [line: string, word: string])[] = [
  ['quark-mon --dur', '--duration'],
  ['quark-mon --dns-n', '--dns-name'],
  ['quark-mon doct', 'doctor'],
  ['quark-mon --colour nev', 'never'],
  ['quark-mon --backend kpr', 'kprobe'],
  ['quark-mon -o /etc/hostna', '/etc/hostname'],
  ['quark-mon doctor --aud', '--audit'],
  ['quark-mon completions fi', 'fish'],
  ['quark-mon --colour=nev', '--colour=never'],
  ['quark-mon -q -- cat /etc/hostna', '/etc/hostname'],
  ['quark-mon -- setpri', 'setpriv'],
  ['quark-btf --look', '--lookup'],
]

function isThere(shell: string): boolean {
  return spawnSync(shell, ['-c', 'true']).status === 0
}

function scriptFile(t: TestContext, shell: Shell): string {
  const folder = mkdtempSync(join(tmpdir(), 'quark-completions-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, shell)
  writeFileSync(file, completions(shell, COMPLETED))
  return file
}

test('a real fish completes command lines', (t) => {
  if (!isThere('fish')) return t.skip('fish is not installed')
  const file = scriptFile(t, 'fish')
  for (const [line, word] of COMPLETED_LINES) {
    const { status, stdout, stderr } = spawnSync(
      'fish',
      ['--no-config', '-c', `source ${file}; complete -C ${JSON.stringify(line)}`],
      { encoding: 'utf8', cwd: '/' },
    )
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' })
    assert.deepEqual(
      stdout
        .trimEnd()
        .split('\n')
        .map((one) => one.split('\t')[0]),
      [word],
      line,
    )
  }
})

test('a real zsh completes command lines', { timeout: 120_000 }, async (t) => {
  if (!isThere('zsh')) return t.skip('zsh is not installed')
  if (!hasTerminals()) return t.skip('script(1) of util-linux is not installed')
  const file = scriptFile(t, 'zsh')
  using terminal = new Terminal('exec env TERM=dumb PS1="ready> " zsh -f -i')
  await terminal.seen('ready> ')
  // Ctrl-O shows the command line in place of running it. Quotes keep the echo from being what is waited for.
  const show = 'show() { zle -I; print -r -- "<$BUFFER>"; BUFFER= }; zle -N show; bindkey "^O" show'
  terminal.press(`cd /; autoload -U compinit; compinit -u -D; source ${file}; ${show}; echo "al"l set\n`)
  await terminal.seen('all set')
  for (const [line, word] of COMPLETED_LINES) {
    terminal.press(`${line}\t\u000f`)
    await terminal.seen(`<${line.replace(/\S+$/, word)}`)
    await terminal.seen('>')
  }
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
