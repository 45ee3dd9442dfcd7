import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AggregationTable } from '../aggregate/table.js'
import { checkOptions } from './check.js'
import { OptionError } from '../errors.js'
import { catalogue, type QuarkSettings } from '../kinds/index.js'
import type { OptionSpec } from './spec.js'

/** Options as a caller without a compiler might give them. */
function check(options: object): QuarkSettings {
  return checkOptions(catalogue.options, options)
}

/** The error of refused options. */
function refusal(options: object): OptionError {
  try {
    check(options)
  } catch (error) {
    assert.ok(error instanceof OptionError, String(error))
    return error
  }
  return assert.fail(`nothing is wrong with ${JSON.stringify(options)}`)
}

/** The whole numbers, with their bounds. */
const NUMBERS = Object.entries<OptionSpec>(catalogue.options).flatMap(([name, spec]) =>
  spec.type === 'count' || spec.type === 'bytes' || spec.type === 'ms'
    ? [[name, spec.min, spec.max] as const]
    : [],
)

for (const [name, min, max] of NUMBERS) {
  test(`${name} is a whole number from ${min} to ${max}`, () => {
    for (const value of [min, max]) {
      assert.equal(check({ [name]: value })[name as 'maxLength'], value)
    }
    for (const value of [min - 1, max + 1, min + 0.5, NaN, Infinity, String(min), null, {}, true, 5n]) {
      const { option, message, code } = refusal({ [name]: value })
      assert.deepEqual([option, code], [name, 'ERR_QUARK_OPTION'])
      assert.equal(message, `Option "${name}" must be a whole number from ${min} to ${max}: ${String(value)}`)
    }
  })
}

test('every number has a range, and every default is within it', () => {
  const settings = check({})
  assert.ok(NUMBERS.length >= 12)
  const numbers = Object.entries(settings).filter(([, value]) => typeof value === 'number')
  assert.deepEqual(numbers.map(([name]) => name).sort(), NUMBERS.map(([name]) => name).sort())
})

test('the ring is a power of two', () => {
  assert.equal(check({ ringSizeBytes: 8192 }).ringSizeBytes, 8192)
  const { option, message } = refusal({ ringSizeBytes: 12_288 })
  assert.deepEqual(
    [option, message],
    ['ringSizeBytes', 'Option "ringSizeBytes" must be a power of two: 12288'],
  )
})

for (const name of ['threads', 'kernelThreads', 'usage', 'failedExecs', 'snapshot', 'bypass']) {
  test(`${name} is true or false`, () => {
    for (const value of [true, false]) assert.equal(check({ [name]: value })[name as 'threads'], value)
    for (const value of [0, 1, 'yes', null, {}]) {
      const { option, message } = refusal({ [name]: value })
      assert.equal(option, name)
      assert.equal(message, `Option "${name}" must be true or false: ${String(value)}`)
    }
  })
}

test('aggregation is one of three words, or a table', () => {
  const table = new AggregationTable([])
  for (const aggregation of ['default', 'minimal', 'none', table]) {
    assert.equal(check({ aggregation }).aggregation, aggregation)
  }
  for (const aggregation of ['off', '', null, true, {}]) {
    const { option, message } = refusal({ aggregation })
    assert.equal(option, 'aggregation')
    assert.match(message, /^Option "aggregation" must be default, minimal, none or a table: /)
    assert.ok(message.endsWith(String(aggregation)))
  }
})

test('paths are strings, and signals are signals', () => {
  const { signal } = new AbortController()
  assert.deepEqual(
    [check({ record: 'a' }).record, check({ btf: 'b' }).btf, check({ signal }).signal],
    ['a', 'b', signal],
  )
  for (const [name, value, text] of [
    ['record', 5, 'Option "record" must be a path: 5'],
    ['btf', null, 'Option "btf" must be a path: null'],
    ['signal', 'now', 'Option "signal" must be an AbortSignal: now'],
  ] as const) {
    const { option, message } = refusal({ [name]: value })
    assert.deepEqual([option, message], [name, text])
  }
})

test('backends are known ones, and at least one', () => {
  assert.deepEqual(check({ backends: ['ebpf'] }).backends, ['ebpf'])
  for (const [backends, text] of [
    [[], /^Option "backends" must name at least one: use ebpf/],
    ['ebpf', /^Option "backends" must name at least one: use ebpf/],
    [['ebpf', 'ptrace'], /^Unknown backend "ptrace": use ebpf/],
    [['constructor'], /^Unknown backend "constructor": use ebpf/],
    [[undefined], /^Unknown backend "undefined": use ebpf/],
  ] as const) {
    const { option, message } = refusal({ backends })
    assert.equal(option, 'backends')
    assert.match(message, text)
  }
})

test('an unknown option is named, with all known ones', () => {
  const { option, message } = refusal({ maxLenght: 5 })
  assert.equal(option, 'maxLenght')
  assert.match(message, /^Unknown option "maxLenght": use one of /)
  const known = [...Object.keys(check({})), 'record', 'btf', 'signal']
  for (const name of known) assert.ok(message.includes(name), `${name} is not named`)
})

test('an option that is undefined is left out', () => {
  const all = Object.fromEntries(
    [...Object.keys(check({})), 'record', 'btf', 'signal'].map((n) => [n, undefined]),
  )
  assert.deepEqual(check(all), check({}))
})

test('options about events contradict bypass', () => {
  const clashes = {
    aggregation: 'none',
    snapshot: true,
    record: 'file',
    maxLength: 100,
    holdMs: 5,
    graceMs: 5,
  }
  for (const [name, value] of Object.entries(clashes)) {
    const { option, message } = refusal({ bypass: true, [name]: value })
    assert.equal(option, name)
    assert.equal(message, `Option "${name}" has no meaning with "bypass": leave one of them out`)
    check({ bypass: false, [name]: value })
  }
  assert.equal(check({ bypass: true, snapshot: false, threads: true }).bypass, true)
})

test('the environment names a BTF file unless the option does', (t) => {
  const before = process.env['QUARK_BTF_PATH']
  t.after(() => {
    if (before === undefined) delete process.env['QUARK_BTF_PATH']
    else process.env['QUARK_BTF_PATH'] = before
  })
  process.env['QUARK_BTF_PATH'] = '/from/environment'
  assert.equal(check({}).btf, '/from/environment')
  assert.equal(check({ btf: '/from/option' }).btf, '/from/option')
  process.env['QUARK_BTF_PATH'] = ''
  assert.equal('btf' in check({}), false)
})
