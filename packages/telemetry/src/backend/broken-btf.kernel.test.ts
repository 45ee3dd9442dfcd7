import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { BtfError, findTracefs, KprobeEvents } from 'quark-ebpf'
import { knownOffsets } from '../btf/known-offsets.js'
import { OptionError } from '../errors.js'
import { Quark } from '../quark.js'
import { brokenBtf } from '../testing/broken-btf.js'
import { makeDirectory } from '../testing/scenario.js'

const hasKprobes = existsSync('/sys/kernel/tracing/kprobe_events')
/** Backends that read the types of the kernel. */
const backends = hasKprobes ? (['ebpf', 'kprobe'] as const) : (['ebpf'] as const)

let directory = ''
before(() => {
  directory = makeDirectory('broken-btf')
})
after(() => {
  rmSync(directory, { recursive: true, force: true })
})

function write(contents: string | Uint8Array): string {
  const path = join(directory, 'btf')
  writeFileSync(path, contents)
  return path
}

/** Kprobe events that are installed: there are none between two queues. */
function installed(): string[] {
  return hasKprobes ? new KprobeEvents(findTracefs()).names() : []
}

test('types that cannot be read are an error that says why, and nothing stays behind', async (t) => {
  const before = readdirSync('/proc/self/fd')
  for (const { name, contents, reason } of brokenBtf()) {
    for (const backend of backends) {
      await t.test(`${backend}: ${name}`, async () => {
        const btf = write(contents)
        await assert.rejects(Quark.open({ backends: [backend], btf }), (error: unknown) => {
          assert.ok(error instanceof OptionError && error.cause instanceof BtfError, String(error))
          assert.deepEqual([error.option, error.cause.code], ['btf', 'ERR_EBPF_BTF'])
          assert.match(error.cause.message, reason)
          return true
        })
        assert.deepEqual(installed(), [])
      })
    }
  }
  const more = readdirSync('/proc/self/fd').filter((fd) => !before.includes(fd))
  assert.deepEqual(more, [], 'descriptors are left open')
})

test('types that somebody asks for are used or refused: no backend without them takes their place', async () => {
  const btf = write('')
  await assert.rejects(Quark.open({ btf }), { code: 'ERR_QUARK_OPTION', option: 'btf' })
})

/** What a queue says whose kernel has a file in the place of its BTF. */
function openBehind(contents: string | Uint8Array): Record<string, string> {
  const index = JSON.stringify(new URL('../index.js', import.meta.url).href)
  const script = `
import { spawnSync } from 'node:child_process'
import { Quark } from ${index}
const outcomes = {}
for (const backend of ['ebpf', 'kprobe']) {
  try {
    const quark = await Quark.open({ backends: [backend], holdMs: 50 })
    const { pid } = spawnSync('/bin/true')
    const events = [...quark.poll(), ...quark.finish()]
    const own = events.filter(({ process }) => process?.pid === pid).flatMap(({ actions }) => actions ?? [])
    const { attached } = quark.capabilities
    outcomes[backend] = own.join() + ' ' + attached.find(({ fact }) => fact === 'exec').flavor
    await quark.close()
  } catch (error) {
    outcomes[backend] = error.message
  }
}
const quark = await Quark.open()
const { backend, missing } = quark.capabilities
outcomes.byDefault = [backend, ...missing.filter(({ fact }) => fact.startsWith('backend ')).map(({ reason }) => reason)].join('; ')
await quark.close()
console.log(JSON.stringify(outcomes))`
  const mount = 'mount --bind "$1" /sys/kernel/btf/vmlinux && shift && exec "$@"'
  const { stdout, stderr } = spawnSync(
    'unshare',
    ['-m', 'sh', '-c', mount, 'sh', write(contents), process.execPath, '--input-type=module', '-e', script],
    { encoding: 'utf8' },
  )
  assert.notEqual(stdout, '', stderr)
  return JSON.parse(stdout) as Record<string, string>
}

test('a kernel whose own BTF is broken is watched by its known offsets, which is reported', (t) => {
  const known = knownOffsets().kernels.find((entry) => entry.release === release())
  t.diagnostic(known === undefined ? 'the offsets of this kernel are not known' : 'known offsets')
  const { ebpf, kprobe, byDefault } = openBehind(Buffer.from('9feb01', 'hex'))
  const problem = 'Broken BTF in /sys/kernel/btf/vmlinux: 3 bytes cannot hold a header'
  assert.ok(ebpf?.endsWith(`ebpf: ${problem}`), ebpf)
  if (known === undefined || !hasKprobes)
    assert.ok(byDefault?.startsWith(`procConnector; ${problem}`), byDefault)
  if (!hasKprobes) assert.match(kprobe ?? '', /Cannot use kprobe events/)
  else if (known === undefined)
    assert.match(kprobe ?? '', new RegExp(`are not known: ${problem}, and the known`))
  else {
    const source = `the known offsets: ${known.name} ${known.release} (the same release)`
    assert.equal(kprobe, `fork,exec,exit fetch_args, offsets from ${source}`)
  }
  assert.deepEqual(installed(), [])
})
