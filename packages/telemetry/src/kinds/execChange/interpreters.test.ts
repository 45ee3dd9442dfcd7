import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PREFIXES, scriptArgument } from './interpreters.js'

function argumentOf(command: string, exe?: string): string | undefined {
  const argv = command.split(' ')
  return scriptArgument({ exe: exe ?? `/usr/bin/${argv[0]}`, argv })
}

test('the first argument that is no option is what interpreters execute', () => {
  assert.equal(argumentOf('sh x.sh'), 'x.sh')
  assert.equal(argumentOf('bash -ex ./x.sh -c y'), './x.sh')
  assert.equal(argumentOf('zsh +x x'), 'x')
  assert.equal(argumentOf('python3.11 -u tool.py data.py'), 'tool.py')
  assert.equal(argumentOf('node --enable-source-maps app.js'), 'app.js')
  assert.equal(argumentOf('perl -w x.pl'), 'x.pl')
  assert.equal(argumentOf('sh x.sh', '/usr/bin/dash'), 'x.sh')
  assert.equal(argumentOf('/bin/sh x.sh', '/bin/busybox'), 'x.sh')
})

test('code, standard input, and files of other programs are no scripts', () => {
  for (const command of [
    'sh -c x.sh',
    'bash -ec x.sh y',
    'sh -s x',
    'sh',
    'sh -x',
    'python3 -m pytest test.py',
    'perl -pi -e s/a/b/ notes',
    'perl -ne1 notes',
    'node -e 1 x.js',
    'node --eval 1 x.js',
    'php -r 1 x.php',
    'cat x.sh',
    'show x.sh',
    'gcc x.c',
  ])
    assert.equal(argumentOf(command), undefined, command)
  // Standard input has no name that a file has.
  assert.equal(argumentOf('sh - x'), '-')
  assert.equal(scriptArgument({ exe: undefined, argv: undefined }), undefined)
  assert.equal(argumentOf('cat x.sh', '/bin/busybox'), undefined)
})

test('the kernel knows them by their first characters', () => {
  const prefix = (text: string) => Buffer.from(text).readUIntLE(0, 3)
  for (const name of ['sh\0', 'bas', 'pyt', 'nod', 'php']) assert.ok(PREFIXES.includes(prefix(name)), name)
  assert.ok(!PREFIXES.includes(prefix('sho')))
})

test('a name of any length costs no more than to look at it once', { timeout: 10_000 }, () => {
  const long = '1'.repeat(1 << 20)
  for (const name of [`sh${long}x`, `${long}x`, `${long}/sh`])
    assert.equal(
      scriptArgument({ exe: undefined, argv: [name, 'x'] }),
      name.endsWith('/sh') ? 'x' : undefined,
    )
})
