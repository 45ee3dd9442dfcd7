import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { PatternFinder } from './patterns.js'
import { MARK, Redactor } from './redactor.js'
import { secretArguments, secretTexts, secretVariables } from './testing/secrets.js'

const redactor = new Redactor({ key: new Uint8Array(32) })

for (const { what, argv, secret } of secretArguments) {
  test(`an argument list without its secret: ${what}`, () => {
    const out = redactor.argv(argv)
    assert.equal(out.length, argv.length)
    assert.ok(!out.join('\0').includes(secret), out.join(' '))
    assert.ok(out.join('\0').includes(MARK), out.join(' '))
    for (const [i, argument] of argv.entries()) {
      if (!argument.includes(secret)) assert.equal(out[i], argument)
    }
    assert.deepEqual(redactor.argv(out), out, 'what is redacted stays as it is')
  })
}

for (const { what, variable, secret } of secretVariables) {
  test(`a variable without its secret: ${what}`, () => {
    const [out] = redactor.env([variable])
    assert.ok(!(out as string).includes(secret), out)
    assert.ok((out as string).startsWith(variable.slice(0, variable.indexOf('=') + 1)), out)
    assert.deepEqual(redactor.env([out as string]), [out])
  })
}

for (const { what, text, secret } of secretTexts) {
  test(`a text without its secret: ${what}`, () => {
    const out = redactor.text(text)
    assert.ok(!out.includes(secret), out)
    assert.ok(out.includes(MARK), out)
    assert.equal(redactor.text(out), out)
  })
}

test('ordinary arguments stay the same array', () => {
  const lists = [
    ['git', 'commit', '-m', 'Add the option --password to login, see the token: it was wrong'],
    ['ssh', '-p', '22', 'ann@example.org'],
    ['mkdir', '-p', 'dir/token'],
    ['docker', 'run', '-p', '80:80', '-u', '1000:1000', 'nginx'],
    ['docker', 'login', '--password-stdin', 'registry.example.org'],
    ['docker', 'build', '--secret', 'id=npm,src=/run/npm', '.'],
    ['mysql', '-p', 'shop'],
    ['curl', '-u', 'ann', 'https://example.org/a:b@c'],
    ['curl', '--cookie-jar', 'jar', 'http://[::1]:80/'],
    ['keytool', '-keystore', 'pass.jks', '-alias', 'key'],
    ['gcc', '-DTOKEN_MAX=5', '-pthread', '-pass-exit-codes', '-o', 'auth.o', 'auth.c'],
    ['ssh-keygen', '-t', 'ed25519', '-f', 'key'],
    ['env', 'PWD=/home/ann', 'OLDPWD=/'],
    ['sudo', '--askpass', '-u', 'ann', 'true'],
    ['sh', '-c', 'curl -H "Authorization: Bearer $TOKEN" --password "${PASS}" https://ann@example.org/'],
    ['node', '--max-old-space-size=100', '--token', '--verbose'],
    ['kubectl', 'create', 'secret', 'generic', 'name', '--from-file=key.pem'],
    ['openssl', 'rsa', '-passin', 'file:/run/pass'],
  ]
  for (const argv of lists) assert.equal(redactor.argv(argv), argv, argv.join(' '))
})

test('equal secrets have an equal hash, which is another one with another key', () => {
  const [, , first] = redactor.argv(['x', '--token', 'a1'])
  assert.match(first as string, /^\[REDACTED:[0-9a-f]{12}\]$/)
  assert.deepEqual(redactor.env(['TOKEN=a1']), [`TOKEN=${first}`])
  assert.notEqual(new Redactor().argv(['x', '--token', 'a1'])[2], first)
  assert.notEqual(redactor.argv(['x', '--token', 'a2'])[2], first)
})

test('patterns of the user are found, with and without a group', () => {
  const mine = new Redactor({ patterns: new PatternFinder(['ACME-(\\d+)', 'zz+']) })
  const [argument] = mine.argv(['ACME-1234 zzz end'])
  assert.match(argument as string, /^ACME-\[REDACTED:\w+\] \[REDACTED:\w+\] end$/)
  assert.throws(() => new PatternFinder(['(?=x)']), {
    name: 'SyntaxError',
    message: /"\(\?=x\)" is not a pattern of RE2/,
  })
})

test('many secrets are replaced, some of them without a hash', () => {
  const argv = Array.from({ length: 200 }, (_, i) => `--token=a${i}`)
  const out = redactor.argv(argv)
  assert.ok(out.every((argument) => argument.startsWith('--token=[REDACTED')))
  assert.equal(out.at(-1), '--token=[REDACTED]')
})

test('a secret is found whatever is around it', () => {
  const secret = 'ghp_0123456789abcdefghijklmnopqrstuvwxyz'
  const anywhere = fc.tuple(
    fc.string(),
    fc.constantFrom(' ', '"', "'", ':', ',', '(', '\n', '/'),
    fc.string(),
  )
  fc.assert(
    fc.property(anywhere, ([before, gap, after]) => {
      assert.ok(!redactor.text(`${before}${gap}${secret}${gap}${after}`).includes(secret))
    }),
  )
})

test('any lists are taken, and what is no secret stays', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '--password',
      '-p',
      'mysql',
      'sh',
      '-c',
      'Authorization:',
      'Bearer',
      '://',
      '"',
      '=',
      'login',
      'curl',
      '-u',
      'a:b',
    ),
  )
  fc.assert(
    fc.property(fc.array(word), (argv) => {
      const out = redactor.argv(argv)
      assert.equal(out.length, argv.length)
      assert.deepEqual(redactor.argv(out), out)
      redactor.env(argv)
    }),
  )
})

/** Texts made to take long; each takes some ms. */
const HOSTILE = ['=', ':', '://', '"', 'eyJ', 'eyJ.', 'a=', '"a":', 'token=', '--token ', 'ghp_', "'", '@', '-----BEGIN PRIVATE KEY-----', '(', ' ', '\\"', 'pass:'] // prettier-ignore

test('the time grows with the length only', () => {
  const timeOf = (part: string, chars: number): number => {
    const text = `token ${part.repeat(Math.ceil(chars / part.length))}`
    let least = Number.POSITIVE_INFINITY
    for (let i = 0; i < 5; i++) {
      const start = performance.now()
      redactor.argv(['sh', '-c', text, text])
      redactor.env([`X=${text}`])
      redactor.text(text)
      least = Math.min(least, performance.now() - start)
    }
    return least
  }
  for (const part of HOSTILE) {
    const ratio = timeOf(part, 200_000) / timeOf(part, 10_000)
    // 20 for one that grows with the length, 400 for one that grows with its square.
    assert.ok(ratio < 200, `${part}: ${ratio} times as long for 20 times the text`)
  }
})

/** As a person types it to a shell, quoted where it must be. */
function typedWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word
  return word.includes("'") ? `"${word}"` : `'${word}'`
}

const typed = (argv: readonly string[]): string => argv.map(typedWord).join(' ')

for (const { what, argv, secret } of secretArguments) {
  test(`typed at a terminal: ${what}`, () => {
    const shown = new Redactor().terminalBytes(`Welcome\r\nroot@host:~# ${typed(argv)}\r\nroot@host:~# `)
    assert.ok(!shown.includes(secret), shown)
    assert.ok(shown.startsWith('Welcome\r\nroot@host:~# ') && shown.endsWith('\r\nroot@host:~# '), shown)
  })
}

test('what terminals show of ordinary work stays as it is', () => {
  const text = [
    'root@host:~# ls -l /etc/ssh',
    '-rw------- 1 root root 505 Nov  1 10:00 ssh_host_ed25519_key',
    'root@host:~# git status --short',
    ' M src/redact/tokens.ts',
    'root@host:~# npm test',
    '✔ passwords are hashed (3.2ms)',
    'root@host:~# curl -s https://example.org/ -o page.html',
    'login: ',
  ].join('\r\n')
  const bytes = Buffer.from(text).toString('latin1')
  assert.equal(new Redactor().terminalBytes(bytes), bytes)
})
