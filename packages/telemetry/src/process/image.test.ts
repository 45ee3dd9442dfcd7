import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Redaction } from '../event/redaction.js'
import { Image } from './image.js'

/** Takes nothing out but `secret`, and counts how often it looks. */
class CountingRedaction {
  looks = 0

  argv(argv: readonly string[]): readonly string[] {
    this.looks += 1
    return argv.includes('secret') ? argv.map((text) => (text === 'secret' ? 'hidden' : text)) : argv
  }

  env(env: readonly string[]): readonly string[] {
    return this.argv(env)
  }
}

function imageOf(argv: readonly string[], env: readonly string[], redaction: CountingRedaction): Image {
  const [argvText, envText] = [argv, env].map((texts) => texts.map((text) => `${text}\0`).join('')) as [
    string,
    string,
  ]
  return new Image(
    argvText + envText,
    0,
    0,
    argvText.length,
    envText.length,
    argvText.length,
    envText.length,
    redaction as unknown as Redaction,
  )
}

for (const [sort, argument] of [
  ['few', 'short'],
  ['long', 'x'.repeat(100_000)],
] as const) {
  test(`secrets are looked for once in ${sort} strings that are read many times`, () => {
    const redaction = new CountingRedaction()
    const image = imageOf(['program', argument, 'secret'], ['NAME=value', argument], redaction)
    for (let i = 0; i < 10; i++) {
      assert.deepEqual(image.argv, ['program', argument, 'hidden'])
      assert.equal(image.argvRedacted, true)
      assert.deepEqual(image.env, ['NAME=value', argument])
      assert.equal(image.envRedacted, false)
    }
    assert.equal(redaction.looks, 2)
  })
}

test('another redaction looks for itself', () => {
  const long = 'x'.repeat(100_000)
  const [first, second] = [new CountingRedaction(), new CountingRedaction()]
  const argv = ['program', long]
  assert.equal(imageOf(argv, [], first).argv?.length, 2)
  assert.equal(imageOf(argv, [], second).argv?.length, 2)
  assert.deepEqual([first.looks, second.looks], [1, 1])
})

test('many strings that processes have in common are in memory once, as arguments or as an environment', () => {
  const many = ['program', ...new Array<string>(10_000).fill('')]
  const images = [1, 2, 3].map((pid) => imageOf(many, [`PID=${pid}`], new CountingRedaction()))
  const [first, second, third] = images.map(({ realArgv }) => realArgv)
  assert.deepEqual(first, many)
  assert.ok(first === second && second === third)
  const other = imageOf(['program'], many, new CountingRedaction())
  assert.deepEqual(other.realEnv, many)
  assert.notEqual(other.realEnv, first)
  // One that is cut is another list.
  const text = many.map((one) => `${one}\0`).join('')
  const cut = new Image(text, 0, 0, text.length - 10, 0, text.length, 0, undefined)
  assert.equal(cut.realArgv?.length, many.length - 10)
})
