import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSecretName } from './names.js'

/** Each word that says that a value is a secret, as the last one of a name. */
const WORDS =
  'authtoken apikey accesskey accesstoken apisecret apitoken authkey bearer clientsecret credential credentials encryptionkey jwt keypass masterkey pass passcode passin passout passphrase passwd password privatekey privatetoken pwd refreshtoken secret secretkey sharedkey signingkey storepass token userpass webhooksecret'

test('names of secrets are found in each way of writing', () => {
  for (const word of WORDS.split(' ')) {
    for (const name of [
      `--db-${word}`,
      `DB_${word.toUpperCase()}`,
      `db${word[0]?.toUpperCase()}${word.slice(1)}`,
    ])
      assert.ok(isSecretName(name), name)
  }
  for (const name of ['--api-key', 'clientKey', 'HTTP_AUTH', 'DB_PW', 'PGPASSWORD', 'x.y.mytoken'])
    assert.ok(isSecretName(name), name)
})

test('ordinary names are none', () => {
  const names = [
    '--verbose',
    'PWD',
    'OLDPWD',
    '--no-password',
    '--key',
    '--author',
    '--pass-exit-codes',
    'KEYBOARD',
    '',
    '-',
  ]
  for (const name of [...names, 'token-file', 'x'.repeat(200)]) assert.ok(!isSecretName(name), name)
})
