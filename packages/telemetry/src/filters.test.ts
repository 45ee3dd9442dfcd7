import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OptionError } from './errors.js'
import { filtersOf } from './filters.js'
import { catalogue, type QuarkOptions } from './kinds/index.js'
import { checkOptions } from './options/check.js'

const CLOCK = { bootNowNs: () => 0 }

function filters(options: QuarkOptions, isLive = true): ReturnType<typeof filtersOf> {
  return filtersOf(catalogue, checkOptions(catalogue.options, options), isLive ? CLOCK : undefined)
}

test('there are no filters unless some are given', () => {
  assert.equal(filters({}), undefined)
  assert.equal(filters({ where: {} }), undefined)
  assert.equal(filters({ where: { failed: false, comm: undefined } }), undefined)
  assert.equal(filters({ where: { comm: 'x' } })?.tracking, undefined)
  assert.notEqual(filters({ excludePids: [] })?.tracking, undefined)
})

test('kinds of events that the options leave out are refused, but not in a replay', () => {
  const where: QuarkOptions['where'] = { event: ['thread', 'execFailed'] }
  assert.throws(
    () => filters({ where }),
    (error) => error instanceof OptionError && /set "threads" or "failedExecs" too/.test(error.message),
  )
  assert.throws(
    () => filters({ where: { action: ['connect', 'listen'] } }),
    (error) =>
      error instanceof OptionError &&
      error.option === 'where.action' &&
      error.message === 'No event with connect or listen will be made: set "sockets" or "unixSockets" too',
  )
  assert.throws(() => filters({ where: { event: 'file' } }), /set "files" too/)
  assert.ok(filters({ where: { event: 'file' }, files: true }))
  assert.ok(filters({ where: { event: 'file' }, files: ['/etc'] }))
  for (const where of [{ port: 80 }, { host: '::1' }]) {
    assert.throws(
      () => filters({ where }),
      (error) =>
        error instanceof OptionError &&
        /^No event with (a port|another end) will be made: set "sockets"/.test(error.message),
    )
    assert.ok(filters({ where, sockets: true }))
    assert.ok(filters({ where }, false))
  }
  assert.ok(filters({ where: { action: ['connect', 'exec'] } }))
  assert.ok(filters({ where: { action: 'connect' }, sockets: true }))
  assert.ok(filters({ where, threads: true }))
  assert.ok(filters({ where }, false))
  assert.ok(filters({ where: { event: ['thread', 'process'] } }))
})

test('the trees of processes that do not run are refused', () => {
  const check = (options: QuarkOptions): void => filters(options)?.tracking?.check()
  const gone = 0x7fff_fff0
  check({ where: { treeOf: process.pid }, excludePids: [process.ppid] })
  for (const options of [{ where: { treeOf: gone } }, { excludePids: [process.pid, gone] }]) {
    assert.throws(() => check(options), new RegExp(`no process has the pid ${gone}`))
  }
})
