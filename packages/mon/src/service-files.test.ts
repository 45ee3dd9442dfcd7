import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { parseCommandLine } from './parse.js'

function text(path: string): string {
  return readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
}

const UNIT = text('systemd/quark-mon.service')

/** The values of a setting, of which there may be several. */
function settings(name: string): string[] {
  return [...UNIT.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value)
}

test('the unit starts a command line that this version takes, into the file that logrotate renames', () => {
  const [start = ''] = settings('ExecStart')
  const [env, command, ...args] = start.split(' ')
  assert.deepEqual([env, command, args.at(-1)], ['/usr/bin/env', 'quark-mon', '$QUARK_OPTIONS'])
  const read = parseCommandLine(args.slice(0, -1))
  assert.equal(read.show, 'events')
  const file = read.show === 'events' ? read.settings.output : undefined
  assert.match(text('logrotate/quark-mon'), new RegExp(`^${file} \\{$`, 'm'))
  assert.deepEqual(settings('LogsDirectory'), ['quark'])
  // The options that its comment and the docs give as examples.
  const docs = readFileSync(new URL('../../../docs/running.md', import.meta.url), 'utf8')
  for (const [, options = ''] of `${UNIT}\n${docs}`.matchAll(/QUARK_OPTIONS="([^"]+)"/g))
    assert.equal(parseCommandLine(options.split(' ')).show, 'events', options)
})

test('the unit has the rights that watching needs, and no way to others', () => {
  const rights = 'CAP_BPF CAP_PERFMON CAP_NET_ADMIN CAP_SYS_PTRACE'
  assert.deepEqual(settings('AmbientCapabilities'), [rights])
  assert.deepEqual(settings('CapabilityBoundingSet'), [rights])
  assert.deepEqual(settings('NoNewPrivileges'), ['yes'])
  assert.deepEqual(settings('RestartPreventExitStatus'), ['2'])
})
