import assert from 'node:assert/strict'
import { readFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { BTF_TARGETS } from 'quark-telemetry'
import { runBtf } from '../testing/command.js'

const KERNEL = '/sys/kernel/btf/vmlinux'

function file(t: TestContext, contents: string | Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), 'quark-btf-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'file')
  writeFileSync(path, contents)
  return path
}

test('without arguments it writes all targets of this kernel in order, of which one may be U', () => {
  const { code, out, err } = runBtf([])
  assert.deepEqual({ code, err }, { code: 0, err: '' })
  const lines = out.split('\n').slice(0, -1)
  assert.deepEqual(
    lines.map((line) => line.split(' ')[0]),
    BTF_TARGETS.map(({ name }) => name),
  )
  for (const line of lines) assert.match(line, /^[\w.]+ +(\d+|U) *$/)
  assert.ok(lines.filter((line) => line.includes(' U ')).length <= 1)
})

test('a file gives what the kernel gives, in the order asked for', (t) => {
  const path = file(t, readFileSync(KERNEL))
  const names = ['task_struct.tgid', 'cred.uid', 'task_struct.tgid']
  const { code, out } = runBtf(['-b', '-f', path, ...names])
  assert.equal(code, 0)
  assert.equal(out, runBtf(['--bits', ...names]).out)
  for (const line of out.split('\n').slice(0, -1)) {
    const [, bytes, bits] = line.split(/ +/).map(Number)
    assert.equal(bits, (bytes ?? 0) * 8)
  }
  assert.deepEqual(runBtf(['cred.uid', 'cred.nothing']), {
    code: 2,
    signal: null,
    out: '',
    err: 'quark-btf: Unknown target "cred.nothing": see quark-btf for all of them\n',
  })
})

test('-v says where the types come from, and which other names were found', () => {
  const { out, err } = runBtf(['-v', 'net_namespace.proc_inum'])
  assert.match(out, /^net_namespace\.proc_inum +\d+ *\n$/)
  assert.equal(err, `quark-btf: types from ${KERNEL}\nquark-btf: net_namespace.proc_inum is net.ns.inum\n`)
})

test('-g writes a table that is the BTF of this kernel for whoever takes offsets from it', (t) => {
  const { code, out } = runBtf(['-g', KERNEL, 'here', '1.2.3-here'])
  assert.equal(code, 0)
  const { kernels } = JSON.parse(out) as { kernels: { name: string; release: string }[] }
  assert.deepEqual(
    kernels.map(({ name, release }) => ({ name, release })),
    [{ name: 'here', release: '1.2.3-here' }],
  )
  assert.equal(runBtf(['-f', file(t, out)]).code, 1)
})

test('BTF that ends too early is an error', (t) => {
  const path = file(t, readFileSync(KERNEL))
  truncateSync(path, 100_000)
  const { code, out, err } = runBtf(['-f', path])
  assert.deepEqual({ code, out }, { code: 1, out: '' })
  assert.ok(err.startsWith('quark-btf: Broken BTF in '), err)
})
