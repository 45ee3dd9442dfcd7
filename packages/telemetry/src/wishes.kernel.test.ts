import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { OptionError } from './errors.js'
import type { QuarkOptions } from './kinds/index.js'
import { OTHER_VALUES } from './options/testing/values.js'
import { Quark } from './quark.js'

/** What is refused, by backend: all else is met. */
const UNMET: Readonly<Record<string, readonly string[]>> = {
  ebpf: [],
  procConnector: [
    'bpf',
    'btf',
    'dns',
    'execChanges',
    'executableMemory',
    'executables',
    'failedExecs',
    'fileAccess',
    'getpid',
    'modules',
    'packages',
    'processAccess',
    'sharedMemory',
    'sockets',
    'tls',
    'tty',
    'unixSockets',
    'usage',
  ],
}

/** Refused where no runtime of containers is, and no Kubernetes. */
const BY_MACHINE: ReadonlySet<string> = new Set(['containers', 'kubernetes', 'kubeconfig', 'kubeFrames'])

for (const [backend, unmet] of Object.entries(UNMET)) {
  test(`each option alone is met by ${backend}, or refused`, async () => {
    const refused: string[] = []
    for (const [name, value] of Object.entries(OTHER_VALUES)) {
      const options = {
        backends: [backend],
        ...(name === 'truncate' ? { record: '/dev/null' } : {}),
        ...(name === 'backends' ? {} : { [name]: value }),
      } as QuarkOptions
      try {
        await using quark = await Quark.open(options)
        const missing = quark.capabilities.missing.map(({ fact }) => fact)
        assert.ok(!missing.includes(name), `${name} is accepted, and missing`)
      } catch (error) {
        if (!(error instanceof OptionError)) throw error
        assert.equal(error.option, name)
        refused.push(name)
      }
    }
    assert.deepEqual(refused.filter((name) => !BY_MACHINE.has(name)).sort(), unmet.toSorted())
  })
}

test('all kinds that can be watched are, and what cannot is said', async () => {
  await using quark = await Quark.open({ all: true, backends: ['procConnector'] })
  const { attached, missing } = quark.capabilities
  const facts = missing.map(({ fact }) => fact)
  for (const fact of ['ttyWrites', 'moduleLoads', 'bpf', 'socketConnections', 'dnsMessages'])
    assert.ok(facts.includes(fact), fact)
  assert.ok(attached.some(({ fact }) => fact === 'ptrace'))
  // Who asks for one of them by name as well is refused.
  await assert.rejects(Quark.open({ all: true, tty: true, backends: ['procConnector'] }), {
    code: 'ERR_QUARK_OPTION',
    option: 'tty',
    message: /needs eBPF \(this needs the backend ebpf\)$/,
  })
})

test('BTF that cannot be used is an error, also where another backend would do without', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'quark-wishes-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const broken = join(folder, 'broken')
  writeFileSync(broken, 'no types')
  for (const [btf, problem] of [
    ['/nonexistent', /Option "btf" cannot be used: .*ENOENT/],
    [broken, /Option "btf" cannot be used/],
    [folder, /Option "btf" cannot be used/],
  ] as const) {
    await assert.rejects(Quark.open({ btf }), (error: unknown) => {
      assert.ok(error instanceof OptionError)
      assert.match(error.message, problem)
      return error.option === 'btf' && error.cause !== undefined
    })
  }
  process.env['QUARK_BTF_PATH'] = '/nonexistent'
  t.after(() => delete process.env['QUARK_BTF_PATH'])
  await assert.rejects(Quark.open(), /The file of QUARK_BTF_PATH cannot be used/)
})

test('a recording is made for its owner only, and overwrites nothing unless it is to truncate', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'quark-wishes-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const record = join(folder, 'recording')
  await (await Quark.open({ record })).close()
  assert.equal(statSync(record).mode & 0o777, 0o600)
  const { mtimeMs, size } = statSync(record)
  await assert.rejects(Quark.open({ record }), /Cannot write recording ".*recording": the file exists/)
  assert.deepEqual([statSync(record).mtimeMs, statSync(record).size], [mtimeMs, size])
  await (await Quark.open({ record, truncate: true })).close()
  await using replay = await Quark.replay(record)
  assert.equal(replay.capabilities.backend, 'replay')
})
