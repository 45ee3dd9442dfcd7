import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OptionError } from '../errors.js'
import { catalogueOf } from '../kinds/catalogue.js'
import { kinds } from '../kinds/index.js'
import { bareKind } from '../kinds/testing/bare-kind.js'
import { checkOptions } from './check.js'
import type { OptionSpecs, RecordedNames, SettingsOf, ValueOf } from './spec.js'
import { recordedNames } from './spec.js'

class Filter {
  readonly pattern = 'x'
}

const toyOptions = {
  toys: { type: 'flag', default: false },
  maxToyBytes: { type: 'bytes', default: 64, min: 16, max: 1024, isPowerOfTwo: true, isRecorded: true },
  toyMs: { type: 'ms', default: 5, min: 0, max: 10, notWithBypass: true },
  toyFile: { type: 'path', environment: 'QUARK_TEST_TOY_FILE' },
  toyOrder: { type: 'choice', default: 'up', words: ['up', 'down'] },
  toyShapes: { type: 'list', default: ['ball'], words: ['ball', 'cube'], item: 'shape' },
  toyFilter: { type: 'instance', of: { class: Filter, noun: 'a Filter' } },
} as const satisfies OptionSpecs

const toyKind = bareKind('toy', 200, {
  options: toyOptions,
  // The kind sees its own options, typed.
  facts: ({ settings }) => {
    const size: number = settings.maxToyBytes
    const shapes: readonly ('ball' | 'cube')[] = settings.toyShapes
    return settings.toys && size > 0 && shapes.length > 0
      ? [{ name: 'toys', rungs: [], required: false }]
      : []
  },
})

const catalogue = catalogueOf([...kinds, toyKind] as const)

/** Fails to compile unless both are the same type. */
function same<A, B>(_same: [A] extends [B] ? ([B] extends [A] ? true : false) : false): void {}

function problem(options: object): string {
  try {
    checkOptions(catalogue.options, options)
  } catch (error) {
    if (error instanceof OptionError) return error.message
    throw error
  }
  return assert.fail('nothing is wrong')
}

test('types follow from declarations', () => {
  type Settings = SettingsOf<typeof toyOptions>
  same<Settings['toys'], boolean>(true)
  same<Settings['maxToyBytes'], number>(true)
  same<Settings['toyFile'], string | undefined>(true)
  same<Settings['toyOrder'], 'up' | 'down'>(true)
  same<Settings['toyShapes'], readonly ('ball' | 'cube')[]>(true)
  same<ValueOf<(typeof toyOptions)['toyFilter']>, Filter>(true)
  same<RecordedNames<typeof toyOptions>, 'maxToyBytes'>(true)
  const settings = checkOptions(catalogue.options, {})
  same<(typeof settings)['toyOrder'], 'up' | 'down'>(true)
  same<(typeof settings)['holdMs'], number>(true)
})

test('defaults of a kind are filled in beside those of every queue', () => {
  const { toys, maxToyBytes, toyMs, toyOrder, toyShapes, holdMs } = checkOptions(catalogue.options, {})
  assert.deepEqual(
    { toys, maxToyBytes, toyMs, toyOrder, toyShapes, holdMs },
    { toys: false, maxToyBytes: 64, toyMs: 5, toyOrder: 'up', toyShapes: ['ball'], holdMs: 1000 },
  )
  assert.equal('toyFile' in checkOptions(catalogue.options, {}), false)
})

test('values of each type are checked', () => {
  const filter = new Filter()
  assert.equal(checkOptions(catalogue.options, { toyFilter: filter }).toyFilter, filter)
  const cases: [options: object, message: string][] = [
    [{ toys: 1 }, 'Option "toys" must be true or false: 1'],
    [{ maxToyBytes: 8 }, 'Option "maxToyBytes" must be a whole number from 16 to 1024: 8'],
    [{ maxToyBytes: 48 }, 'Option "maxToyBytes" must be a power of two: 48'],
    [{ toyFile: 1 }, 'Option "toyFile" must be a path: 1'],
    [{ toyOrder: 'left' }, 'Option "toyOrder" must be up or down: left'],
    [{ toyShapes: [] }, 'Option "toyShapes" must name at least one: use ball, cube'],
    [{ toyShapes: ['cone'] }, 'Unknown shape "cone": use ball, cube'],
    [{ toyFilter: {} }, 'Option "toyFilter" must be a Filter: [object Object]'],
    [{ bypass: true, toyMs: 1 }, 'Option "toyMs" has no meaning with "bypass": leave one of them out'],
  ]
  for (const [options, message] of cases) assert.equal(problem(options), message)
  assert.match(problem({ toyMz: 1 }), /^Unknown option "toyMz": use one of .*\btoyMs\b/)
})

test('a path can come from the environment', (t) => {
  t.after(() => delete process.env['QUARK_TEST_TOY_FILE'])
  process.env['QUARK_TEST_TOY_FILE'] = '/toy'
  assert.equal(checkOptions(catalogue.options, {}).toyFile, '/toy')
  assert.equal(checkOptions(catalogue.options, { toyFile: '/other' }).toyFile, '/other')
})

test('a kind learns what its options ask for', () => {
  const factsOf = (options: object) =>
    toyKind.facts({ settings: checkOptions(catalogue.options, options), hierarchy: undefined })
  assert.deepEqual(factsOf({}), [])
  assert.equal(factsOf({ toys: true }).length, 1)
})

test('a recording keeps the options that are declared as recorded', () => {
  assert.deepEqual(recordedNames(toyOptions), ['maxToyBytes'])
  assert.ok(recordedNames(catalogue.options).includes('holdMs'))
})
