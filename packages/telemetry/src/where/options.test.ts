import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { OptionError } from '../errors.js'
import { catalogue, type QuarkOptions, type ReplayOptions } from '../kinds/index.js'
import { checkOptions } from '../options/check.js'
import { commandForms } from '../options/spec.js'
import { predicates } from './predicates.js'

function problem(options: object): OptionError {
  try {
    checkOptions(catalogue.options, options)
  } catch (error) {
    if (error instanceof OptionError) return error
    throw error
  }
  return assert.fail('nothing is wrong')
}

test('filters are typed', () => {
  const options: QuarkOptions = {
    where: { event: 'process', action: ['exec', 'fork'], exe: '/usr/**', uid: '1000-', failed: true },
    excludePids: [1],
  }
  const replayed: ReplayOptions = { where: { user: ['root', 1000] }, excludePids: [1] }
  const connections: QuarkOptions = { sockets: true, where: { port: [80, '8000-8999'], host: '10.0.0.0/8' } }
  assert.deepEqual(checkOptions(catalogue.options, connections).where, connections.where)
  // @ts-expect-error an address is text
  const number: QuarkOptions = { where: { host: 10 } }
  // @ts-expect-error there is no such kind
  const wrong: QuarkOptions = { where: { event: 'proces' } }
  // @ts-expect-error there is no such filter
  const other: QuarkOptions = { where: { exee: '*' } }
  // @ts-expect-error a recording has what it has
  const excluded: ReplayOptions = { maxArgvBytes: 1 }
  assert.deepEqual(checkOptions(catalogue.options, options).where, options.where)
  assert.ok(replayed.where !== undefined)
  assert.ok([wrong, other, excluded, number].length === 4)
})

const MISTAKES: readonly [where: unknown, option: string, message: string][] = [
  ['exec', 'where', 'Option "where" must be an object: exec'],
  [['exec'], 'where', 'Option "where" must be an object: exec'],
  [{ exee: '*' }, 'where.exee', 'Unknown filter "exee" in "where": did you mean "exe"?'],
  [{ event: 'proces' }, 'where.event', 'did you mean "process"?'],
  [{ event: 'lost' }, 'where.event', 'use one of process, snapshot, thread, execFailed'],
  [{ action: ['exec', 'execve'] }, 'where.action', 'did you mean "exec"?'],
  [{ action: 3 }, 'where.action', 'use one of fork, exec, exit, idChange, commChange'],
  [{ treeOf: -1 }, 'where.treeOf', 'give a pid, a whole number from 0 to 2147483647'],
  [{ ppid: [1, 1.5] }, 'where.ppid', 'cannot be 1.5'],
  [{ user: '' }, 'where.user', 'give the name of a user'],
  [{ user: 2 ** 32 }, 'where.user', 'a uid from 0 to 4294967295'],
  [{ uid: '9-1' }, 'where.uid', 'no uid is in it: give 1-9'],
  [{ uid: '-' }, 'where.uid', 'such as 1000, 0-999 or 1000-'],
  [{ uid: '0-4294967296' }, 'where.uid', 'a range up to 4294967295'],
  [{ uid: 'root' }, 'where.uid', 'cannot be "root"'],
  [{ comm: '[a' }, 'where.comm', 'cannot be "[a": close the "["'],
  [{ exe: '' }, 'where.exe', 'give a pattern'],
  [{ exe: /x/ }, 'where.exe', 'give a pattern as text'],
  [{ cwd: ['/a', '/[b-a]'] }, 'where.cwd', 'turn the range "b-a" round'],
  [{ cgroup: 'system.slice' }, 'where.cgroup', 'begins with a slash'],
  [{ container: 'abc' }, 'where.container', "8 or more characters of a container's id"],
  [{ port: 65_536 }, 'where.port', 'a port or a range up to 65535'],
  [{ port: '90-80' }, 'where.port', 'no port is in it: give 80-90'],
  [{ port: 'https' }, 'where.port', 'such as 443, 8000-8999 or 1024-'],
  [{ host: 7 }, 'where.host', 'give an address, a network or a name'],
  [{ host: '10.0.0.0/33' }, 'where.host', 'give a network from 10.0.0.0/0 to 10.0.0.0/32'],
  [{ host: '2001:db8::/129' }, 'where.host', 'give a network from 2001:db8::/0 to 2001:db8::/128'],
  [{ host: '10.0.0.256' }, 'where.host', 'it is no address and no network'],
  [{ host: '10.0.0.0/x' }, 'where.host', 'give a network from 10.0.0.0/0'],
  [{ host: '1::2::3' }, 'where.host', 'it is no address and no network'],
  [{ host: 'fe80::1%eth0' }, 'where.host', 'leave out what names the interface: fe80::1'],
  [{ host: 'example.org:443' }, 'where.host', 'give example.org, and 443 as the port'],
  [{ host: '[::1]:443' }, 'where.host', 'give ::1, and 443 as the port'],
  [{ host: 'https://example.org/x' }, 'where.host', 'give the name alone: example.org'],
  [{ host: 'exam[ple.org' }, 'where.host', 'close the "["'],
  [{ dnsName: '' }, 'where.dnsName', 'give a pattern'],
  [{ event: 'process', port: 80 }, 'where.event', 'No event of process has a port: leave out "where.port"'],
  [{ event: 'listener', host: '::1' }, 'where.event', 'No event of listener has another end'],
  [{ hosts: '::1' }, 'where.hosts', 'did you mean "host"?'],
  [{ failed: 1 }, 'where.failed', 'give true or false'],
  [{ longerThanMs: -1 }, 'where.longerThanMs', 'give a time'],
  [{ longerThanMs: Number.NaN }, 'where.longerThanMs', 'give a time'],
  [{ comm: [] }, 'where.comm', 'is an empty list, so that nothing could pass'],
  [{ event: 'snapshot', action: 'exec' }, 'where.event', 'No event of snapshot has the action exec'],
  [{ event: 'thread', failed: true }, 'where.event', 'No event of thread is a failure'],
  [{ event: 'execFailed', longerThanMs: 1 }, 'where.event', 'says how long something ran'],
]

for (const [where, option, message] of MISTAKES) {
  test(`where: ${JSON.stringify(where)} is refused with advice`, () => {
    const error = problem({ where })
    assert.equal(error.option, option)
    assert.ok(error.message.includes(message), error.message)
  })
}

test('filters have no meaning with bypass', () => {
  assert.match(problem({ where: { ppid: 1 }, bypass: true }).message, /no meaning with "bypass"/)
  assert.match(problem({ excludePids: [1], bypass: true }).message, /no meaning with "bypass"/)
})

test('pids to exclude are checked', () => {
  assert.match(problem({ excludePids: 1 }).message, /must be a list of pids/)
  assert.match(problem({ excludePids: [0] }).message, /each a whole number from 1/)
})

test('docs/filters.md has every filter and its option', () => {
  const page = readFileSync(new URL('../../../../docs/filters.md', import.meta.url), 'utf8')
  const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  const forms = commandForms(catalogue.options.where)
  for (const [index, name] of Object.keys(predicates).entries()) {
    const row = rows.find((line) => line.startsWith(`| \`${name}\` `)) ?? assert.fail(`no row of ${name}`)
    const { long } = forms[index] ?? assert.fail(name)
    assert.ok(row.includes(`\`--${long}`), row)
  }
})
