import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OptionError, QuarkError } from '../errors.js'
import { catalogue } from '../kinds/index.js'
import { checkOptions } from './check.js'
import { BACKEND_NAMES } from './declare.js'
import type { OptionSpecs } from './spec.js'
import { OTHER_VALUES } from './testing/values.js'
import { type AskedFact, checkMet, checkReplayed, type Met } from './wishes.js'

const specs: OptionSpecs = catalogue.options
const names = Object.keys(specs)

const NEEDS: Readonly<Record<string, object>> = { truncate: { record: 'x' } }

test('every option has another value than its default, for tests that go over all of them', () => {
  assert.deepEqual(Object.keys(OTHER_VALUES).sort(), [...names].sort())
  for (const [name, value] of Object.entries(OTHER_VALUES)) {
    const settings: Readonly<Record<string, unknown>> = {
      ...checkOptions(specs, { ...NEEDS[name], [name]: value }),
    }
    assert.deepEqual(settings[name], value, name)
    const unset: Readonly<Record<string, unknown>> = { ...checkOptions(specs, {}) }
    assert.notDeepEqual(settings[name], unset[name], name)
  }
})

test('an option is kept by a recording, may be given to a replay, or is refused there', () => {
  const refused = names.filter((name) => {
    try {
      checkReplayed(specs, { [name]: OTHER_VALUES[name as keyof typeof OTHER_VALUES] })
      return false
    } catch (error) {
      assert.ok(error instanceof OptionError)
      assert.equal(error.option, name)
      assert.match(error.message, /has no meaning in a replay/)
      return true
    }
  })
  const isMeant = (name: string): boolean => {
    const spec = specs[name]
    return spec?.isRecorded === true || spec?.isReplayed === true || spec?.type === 'instance'
  }
  assert.deepEqual(
    refused,
    names.filter((name) => !isMeant(name)),
  )
  assert.ok(refused.includes('record') && refused.includes('btf'))
  checkReplayed(specs, { record: undefined })
})

test('an option that asks for a fact is refused when the backend has not got it', () => {
  const flags = names.filter((name) => specs[name]?.type === 'flag')
  for (const name of flags) {
    const missing = [{ fact: name, reason: 'it reports none' }]
    const value = OTHER_VALUES[name as keyof typeof OTHER_VALUES]
    assert.throws(
      () => checkMet(specs, { [name]: value }, { name: 'audit', missing }),
      new RegExp(`^OptionError: Option "${name}" cannot be met with the backend audit: it reports none$`),
    )
    // Who did not ask for it gets what there is.
    checkMet(specs, {}, { name: 'audit', missing })
    checkMet(specs, { [name]: undefined }, { name: 'audit', missing })
  }
})

test('an option is refused when none of the facts is learnt that it asks for', () => {
  const asked: readonly AskedFact[] = [
    { name: 'one', rungs: [{ by: 'ebpf' }] },
    { name: 'other', rungs: [{ by: 'ebpf' }, { by: 'kprobe' }] },
    { name: 'check', rungs: [{ by: 'source' }], isAuxiliary: true },
  ]
  const check = (
    missing: readonly string[],
    facts: readonly AskedFact[] = asked,
    failures: Met['failures'] = [],
  ): void =>
    checkMet(
      specs,
      { tty: true },
      {
        name: 'audit',
        missing: missing.map((fact) => ({ fact, reason: `it has no ${fact}` })),
        failures,
      },
      (option) => (option === 'tty' ? facts : []),
    )
  check(['one', 'more'])
  check(['check', 'one'])
  assert.throws(() => check(['one', 'other']), {
    code: 'ERR_QUARK_OPTION',
    option: 'tty',
    message:
      'Option "tty" cannot be met with the backend audit: it has no one; it has no other (this needs the backend ebpf or kprobe)',
  })
  const failures = [{ backend: 'ebpf', error: new QuarkError('ERR_QUARK_SYSTEM', 'no BTF') }]
  assert.throws(() => check(['one', 'other'], asked, failures), {
    message: /\(this needs the backend kprobe or ebpf, which does not work here: no BTF\)$/,
  })
  // Where the backend knows how, and the kernel has nothing of the sort, there is nothing to be missed.
  const moot = asked.map((fact) => ({ ...fact, canBeMoot: true as const }))
  assert.throws(() => check(['one', 'other'], moot), OptionError)
  check(
    ['one', 'other'],
    moot.map((fact) => ({ ...fact, rungs: [{ by: 'audit' }] })),
  )
})

test('an option that means nothing to the backend is refused', () => {
  for (const backend of BACKEND_NAMES) {
    const refused = names.filter((name) => {
      try {
        const value = OTHER_VALUES[name as keyof typeof OTHER_VALUES]
        checkMet(specs, { [name]: value }, { name: backend, missing: [] })
        return false
      } catch (error) {
        assert.ok(error instanceof OptionError)
        return true
      }
    })
    const isSocket = backend === 'audit' || backend === 'procConnector'
    assert.deepEqual(refused, isSocket ? ['btf'] : [], backend)
  }
})

test('options that undo each other are refused', () => {
  assert.throws(
    () => checkOptions(specs, { pollMs: 20, batchMs: 30 }),
    /"batchMs" \(30\) cannot be more than "pollMs"/,
  )
  assert.equal(checkOptions(specs, { pollMs: 30, batchMs: 30 }).batchMs, 30)
  // Defaults give way.
  assert.equal(checkOptions(specs, { batchMs: 500 }).batchMs, 500)
  assert.throws(() => checkOptions(specs, { truncate: true }), /no meaning without "record"/)
})
