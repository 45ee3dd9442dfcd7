import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { kernelAtLeast, kernelVersion } from 'quark-ebpf'
import { openQuark, Quark } from '../../quark.js'
import { catalogueOf } from '../catalogue.js'
import { cgroupKind } from '../cgroup/index.js'
import type { QuarkEvent } from '../index.js'
import { processKind } from '../process/index.js'
import type { FileEvent } from './events.js'
import { fileKind } from './index.js'
import { hasPython, type Mode, run, SITUATIONS } from './testing/situations.js'

/** fanotify names files and directories since 5.17. */
const hasNotices = kernelAtLeast('5.17')
const MODES: readonly Mode[] = hasNotices ? ['both', 'calls', 'notices'] : ['calls']
const FACTS: Readonly<Record<Mode, readonly string[]>> = {
  both: ['fileCalls', 'fileNotices'],
  calls: ['fileCalls'],
  notices: ['fileNotices'],
}

function catalogueWith(mode: Mode) {
  const { facts } = fileKind
  const some: typeof facts = (around) => facts(around).filter(({ name }) => FACTS[mode].includes(name))
  return catalogueOf([processKind, cgroupKind, { ...fileKind, facts: some }] as const)
}

function isFile(event: { readonly kind: string }): event is FileEvent {
  return event.kind === 'file'
}

function below(path: string | undefined, directory: string): string | undefined {
  return path?.startsWith(`${directory}/`) === true ? path.slice(directory.length + 1) : path
}

/** An event as a sentence: what happened to what, below a directory. */
function sentence(event: FileEvent, directory: string, pid: number): string {
  const { actions, path, oldPath, target, writtenBytes, unverified, deleted } = event
  const old = actions.includes('link') && unverified === false && oldPath?.startsWith('/proc/') === true
  return [
    `${actions.join('+')} ${below(path, directory)}`,
    oldPath === undefined || old ? '' : ` <- ${below(oldPath, directory)}`,
    target === undefined ? '' : ` -> ${target}`,
    writtenBytes === undefined ? '' : ` wrote ${writtenBytes}`,
    unverified ? ' unverified' : '',
    deleted ? ' deleted' : '',
    event.pid === pid ? '' : ' by child',
  ].join('')
}

const seenBy = new Map<string, Map<Mode, readonly string[]>>()

for (const mode of MODES) {
  test(
    `each situation is seen as it is, by ${FACTS[mode].join(' and ')}`,
    { timeout: 240_000, skip: !hasPython && 'there is no Python' },
    async (t) => {
      const root = realpathSync(mkdtempSync(join(tmpdir(), 'quark-files-')))
      t.after(() => rmSync(root, { recursive: true }))
      const names = Object.keys(SITUATIONS)
      const directories = names.map((_name, i) => join(root, `s${i}`))
      for (const [i, name] of names.entries()) {
        mkdirSync(directories[i] as string)
        const { before } = SITUATIONS[name] ?? assert.fail(name)
        if (before !== undefined) await run(before, directories[i] as string)
      }
      // Others on the machine make no difference: only what this process begins is watched.
      const where = { treeOf: process.pid }
      const options = { files: [root], backends: ['ebpf'], where, holdMs: 2000 } as const
      const quark = await openQuark(catalogueWith(mode), options)
      const { attached } = quark.capabilities
      for (const fact of FACTS[mode])
        assert.ok(
          attached.some((one) => one.fact === fact),
          fact,
        )
      const pids: number[] = []
      const events: QuarkEvent[] = []
      const poll = setInterval(() => events.push(...(quark.poll() as readonly QuarkEvent[])), 20)
      for (const [i, name] of names.entries()) {
        pids.push(await run(SITUATIONS[name]?.code ?? '', directories[i] as string))
      }
      clearInterval(poll)
      events.push(...(quark.finish() as readonly QuarkEvent[]))
      await quark.close()
      assert.equal(quark.stats().lost, 0, JSON.stringify(quark.stats()))
      for (const [i, name] of names.entries()) {
        await t.test(name, () => {
          const directory = directories[i] as string
          const { seen } = SITUATIONS[name] ?? assert.fail(name)
          const expected = Array.isArray(seen)
            ? (seen as readonly string[])
            : (seen as Record<Mode, readonly string[] | undefined>)[mode]
          const ours = events
            .filter(isFile)
            .filter(({ path, pid }) => path?.startsWith(`${directory}/`) === true || pid === pids[i])
          const sentences = ours.map((event) => sentence(event, directory, pids[i] as number))
          const byMode = seenBy.get(name) ?? new Map<Mode, readonly string[]>()
          seenBy.set(name, byMode.set(mode, sentences))
          if (expected === undefined) t.diagnostic(`${name}: ${sentences.join('; ')}`)
          else assert.deepEqual(sentences, expected)
          for (const { unverified, path, process } of ours) {
            assert.ok(unverified || path !== undefined)
            assert.equal(process?.comm, 'python3')
          }
        })
      }
    },
  )
}

test('what quark itself writes is no event', { timeout: 60_000 }, async (t) => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'quark-files-')))
  t.after(() => rmSync(root, { recursive: true }))
  const quark = await Quark.open({ files: [root], record: join(root, 'recording') })
  const { writeFileSync } = await import('node:fs')
  for (let i = 0; i < 10; i++) writeFileSync(join(root, `f${i}`), 'x')
  const events = quark.finish().filter(isFile)
  await quark.close()
  assert.deepEqual(events, [])
})

const TABLE = new URL('../../../../../docs/files.md', import.meta.url)
const BEGIN = '<!-- written by the tests: situations -->'
const END = '<!-- end -->'

/** Equal sentences one after the other are one, with their number. */
function shortened(sentences: readonly string[] | undefined): string {
  if (sentences === undefined) return ''
  const parts: { text: string; count: number }[] = []
  for (const text of sentences.map((one) => one.replaceAll(/\d+/g, 'N').replaceAll('\n', String.raw`\n`))) {
    const last = parts.at(-1)
    if (last?.text === text) last.count += 1
    else parts.push({ text, count: 1 })
  }
  const shown = parts.slice(0, 8).map(({ text, count }) => (count === 1 ? text : `${count} × ${text}`))
  return `${shown.join('; ')}${parts.length > 8 ? ' …' : ''}`.replaceAll('|', String.raw`\|`) || 'nothing'
}

after(() => {
  if (process.env['UPDATE_GOLDEN'] !== '1' || seenBy.size === 0) return
  const rows = [...seenBy].map(
    ([name, byMode]) => `| ${name} | ${MODES.map((mode) => shortened(byMode.get(mode))).join(' | ')} |`,
  )
  const { major, minor } = kernelVersion()
  const head = [
    `On Linux ${major}.${minor}, by the tests:`,
    '',
    '| Situation | both | system calls alone | fanotify alone |',
    '|---|---|---|---|',
  ]
  const page = readFileSync(TABLE, 'utf8')
  const [before = '', rest = ''] = page.split(BEGIN)
  writeFileSync(
    TABLE,
    [before + BEGIN, '', ...head, ...rows, '', END + rest.slice(rest.indexOf(END) + END.length)].join('\n'),
  )
})
