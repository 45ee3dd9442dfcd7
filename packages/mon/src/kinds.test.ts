import assert from 'node:assert/strict'
import test from 'node:test'
// The kind is none of the published package.
import { priorityOptions } from '../../telemetry/dist/kinds/testing/priority/options.js'
import { OPTIONS, type OptionSpec } from 'quark-telemetry'
import { helpText } from './help.js'
import { manPage } from './man.js'
import { optionTable, TABLE } from './options.js'
import { parseCommandLine } from './parse.js'

test('the help text and the manual page have the options of whatever kinds there are', () => {
  const table = optionTable({ ...OPTIONS, ...priorityOptions })
  assert.match(helpText(80, table), /^ {6}--priorities +also show changes of priorities$/m)
  assert.match(helpText(80, table), /^ {6}--max-priorities=N +remember at most this many priorities/m)
  assert.doesNotMatch(helpText(80), /priorities/)
  assert.match(manPage(table), /^\.It Fl \\-max\\-priorities/m)
})

test('--all switches on every kind whose declaration has a switch, and no other option', () => {
  const optionsOf = (table: typeof TABLE): unknown => {
    const read = parseCommandLine(['--all'], table)
    return read.show === 'events' ? read.settings.quark : assert.fail()
  }
  const own = Object.entries<OptionSpec>(OPTIONS).flatMap(([name, spec]) =>
    'isKindSwitch' in spec && spec.isKindSwitch === true ? [name] : [],
  )
  assert.ok(own.includes('sockets'))
  const on = Object.fromEntries(own.map((name) => [name, true]))
  assert.deepEqual(optionsOf(TABLE), on)
  const table = optionTable({ ...OPTIONS, ...priorityOptions })
  assert.deepEqual(optionsOf(table), { ...on, priorities: true })
  assert.match(
    helpText(200, table),
    /^ {6}--all +show all kinds of events: the same as [^.]*--sockets,[^.]*--priorities$/m,
  )
  assert.throws(() => parseCommandLine(['--all', '--replay=x']), /contradict each other/)
})
