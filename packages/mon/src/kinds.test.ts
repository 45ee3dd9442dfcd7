import assert from 'node:assert/strict'
import test from 'node:test'
// The kind is none of the published package.
import { priorityOptions } from '../../telemetry/dist/kinds/testing/priority/options.js'
import { OPTIONS } from 'quark-telemetry'
import { helpText } from './help.js'
import { manPage } from './man.js'
import { optionTable } from './options.js'

test('the help text and the manual page have the options of whatever kinds there are', () => {
  const table = optionTable({ ...OPTIONS, ...priorityOptions })
  assert.match(helpText(80, table), /^ {6}--priorities +also show changes of priorities$/m)
  assert.match(helpText(80, table), /^ {6}--max-priorities=N +remember at most this many priorities/m)
  assert.doesNotMatch(helpText(80), /priorities/)
  assert.match(manPage(table), /^\.It Fl \\-max\\-priorities/m)
})
