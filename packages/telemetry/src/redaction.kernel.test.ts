import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { QuarkEvent, QuarkOptions, ReplayOptions } from './kinds/index.js'
import { rulesOf } from './rule-sets.js'
import { createEcs, dumpOf, jsonOf, textOf } from './outputs.js'
import type { Process } from './process/process.js'
import { Quark } from './quark.js'
import { secretArguments, secretVariables } from './redact/testing/secrets.js'

/** Part of every command of these tests. */
const MARKER = 'redaction-test'

/** Runs a program once with each of the secrets, under a queue. */
async function observed(options: QuarkOptions): Promise<QuarkEvent[]> {
  const ending = new AbortController()
  const quark = await Quark.open({ ...options, maxEnvBytes: 65_536, signal: ending.signal })
  try {
    for (const { argv } of secretArguments) {
      // The name of the program is the first argument, so that habits of programs are known by it.
      spawnSync('/bin/true', [...argv.slice(1), MARKER], { argv0: argv[0] as string, env: {} })
    }
    for (const { variable } of secretVariables) {
      const [name, ...value] = variable.split('=')
      spawnSync('/bin/true', [MARKER], { env: { [name as string]: value.join('=') } })
    }
    setTimeout(() => ending.abort(), 100)
    return await eventsOf(quark)
  } finally {
    await quark.close()
  }
}

async function replayed(path: string, options: ReplayOptions = {}): Promise<QuarkEvent[]> {
  const quark = await Quark.replay(path, options)
  try {
    return await eventsOf(quark)
  } finally {
    await quark.close()
  }
}

async function eventsOf(quark: Quark): Promise<QuarkEvent[]> {
  const events: QuarkEvent[] = []
  for await (const event of quark) events.push(event)
  return events
}

function ours(events: readonly QuarkEvent[]): (QuarkEvent & { readonly process: Process })[] {
  return events.filter(
    (event): event is QuarkEvent & { readonly process: Process } =>
      event.process?.argv?.includes(MARKER) === true,
  )
}

const names = { userName: () => undefined, groupName: () => undefined }

const FORMS: Record<string, (event: QuarkEvent) => string> = {
  text: (event) => textOf(event),
  dump: (event) => dumpOf(event),
  JSON: (event) => jsonOf(event),
  'lean ECS': createEcs(names),
  'full ECS': createEcs(names, { form: 'full' }),
  'an object': (event) =>
    JSON.stringify(event.toObject(), (_, value) => (typeof value === 'bigint' ? `${value}` : value)),
  bytes: ({ process }) => Buffer.from(process?.argvBytes ?? []).toString(),
}

const allSecrets = [...secretArguments, ...secretVariables].map(({ secret }) => secret)

function leaked(text: string): string | undefined {
  return allSecrets.find((secret) => text.includes(secret))
}

test('no secret leaves a queue, in whatever form, nor is in a recording of it or what is replayed', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'quark-redaction-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'recording')
  const live = ours(await observed({ record: path }))
  assert.equal(live.length, secretArguments.length + secretVariables.length)
  for (const [name, form] of Object.entries(FORMS)) {
    for (const event of live) assert.equal(leaked(form(event)), undefined, `${name}: ${form(event)}`)
  }
  for (const { process } of live) assert.ok(process.argvRedacted || process.envRedacted)
  assert.equal(leaked(readFileSync(path, 'latin1')), undefined)
  // The recording has what was shown.
  const again = ours(await replayed(path, { redact: false }))
  assert.deepEqual(
    again.map(({ process }) => process.argv),
    live.map(({ process }) => process.argv),
  )
  assert.deepEqual(
    again.map(({ process }) => process.env),
    live.map(({ process }) => process.env),
  )
})

test('without redaction everything is as it is, and what is replayed of it is redacted by default', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'quark-redaction-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'recording')
  const live = ours(await observed({ record: path, redact: false }))
  for (const [i, { argv }] of secretArguments.entries()) {
    assert.deepEqual(live[i]?.process.argv, [...argv, MARKER])
    assert.equal(live[i]?.process.argvRedacted, false)
  }
  const real = live.map((event) => jsonOf(event))
  assert.deepEqual(
    ours(await replayed(path, { redact: false })).map((event) => jsonOf(event)),
    real,
  )
  for (const event of ours(await replayed(path))) assert.equal(leaked(jsonOf(event)), undefined)
})

test('filters and rules ask about the real values, and say what a recording cannot answer', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'quark-redaction-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const secret = `ghp_${'aB3dE5gH7j'.repeat(4).slice(0, 36)}`
  const file = join(directory, secret)
  const rulesText = `pass on event.kind file\npass on process.arg --password=${secret}\ndrop on any`
  const options = { files: [directory], where: { path: file } } as const
  async function run(redact: boolean): Promise<void> {
    const path = join(directory, `recording-${redact}`)
    const byPath = await liveEvents({ ...options, redact, record: path })
    assert.ok(byPath.some(({ kind }) => kind === 'file'))
    const rules = rulesOf(rulesText)
    const byRule = await liveEvents({ redact, rules })
    const ofOurs = byRule.filter(
      ({ kind, process }) => kind === 'process' && process?.argv?.[0] === '/bin/true',
    )
    assert.equal(ofOurs.length, 1)
    assert.equal(rules.counters()[1]?.undecided, 0)
    // What was recorded is asked once more.
    const again = rulesOf(rulesText)
    const quark = await Quark.replay(path, { rules: again, where: { path: file }, redact: false })
    const passed = (await eventsOf(quark)).filter(({ kind }) => kind === 'file')
    const { undecided, filtered } = quark.stats()
    await quark.close()
    assert.equal(passed.length > 0, !redact)
    assert.equal(undecided > 0, redact, `${undecided} of ${filtered}`)
    assert.equal((again.counters()[1]?.undecided ?? 0) > 0, redact)
  }
  async function liveEvents(more: QuarkOptions): Promise<QuarkEvent[]> {
    const ending = new AbortController()
    const quark = await Quark.open({ ...more, signal: ending.signal })
    // What this process writes itself is not watched.
    spawnSync('/bin/sh', ['-c', ': > "$1"', 'sh', file])
    spawnSync('/bin/true', [`--password=${secret}`])
    setTimeout(() => ending.abort(), 200)
    const events = await eventsOf(quark)
    await quark.close()
    return events
  }
  await run(true)
  await run(false)
})

test('raw records have no secrets either', async () => {
  const raw = await observed({ bypass: true })
  const texts = raw.flatMap((event) =>
    event.kind === 'raw' ? [Buffer.from(event.bytes).toString('latin1')] : [],
  )
  const marked = texts.filter((text) => text.includes(MARKER))
  assert.ok(marked.length >= secretArguments.length)
  for (const text of marked) assert.equal(leaked(text), undefined)
})

test('a pattern that is none is refused', async () => {
  await assert.rejects(Quark.open({ redactPatterns: ['a', '(?<x'] }), {
    code: 'ERR_QUARK_OPTION',
    option: 'redactPatterns',
    message: /"\(\?<x" is not a pattern of RE2/,
  })
})
