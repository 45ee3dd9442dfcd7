import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { QuarkEvent, QuarkOptions } from './kinds/index.js'
import { createEcs, dumpOf, jsonOf, textOf } from './outputs.js'
import { Quark } from './quark.js'
import { MARK } from './redact/redactor.js'
import { secretArguments, secretTexts } from './redact/testing/secrets.js'

const hasPython = spawnSync('python3', ['-V']).status === 0
const LIMIT = { timeout: 120_000, skip: hasPython ? false : 'needs Python, for a terminal' }

/** As a person types it to a shell, quoted where it must be. */
function typed(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word
  return word.includes("'") ? `"${word}"` : `'${word}'`
}

/** What a terminal shows: texts, and commands behind a prompt. */
const SHOWN: readonly { readonly what: string; readonly text: string; readonly secret: string }[] = [
  ...secretTexts,
  ...secretArguments.map(({ what, argv, secret }) => ({
    what,
    text: `root@host:~# ${argv.map(typed).join(' ')}`,
    secret,
  })),
]

/** Writes each of a list of lists of texts to a terminal of its own: those of one list at once. */
const WRITER = `
import json, os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    for pieces in json.load(open(sys.argv[1])):
        for piece in pieces: os.write(1, piece.encode())
    os._exit(0)
while True:
    try:
        if not os.read(fd, 65536): break
    except OSError: break
os.waitpid(pid, 0)
`

/** The events while a terminal shows something; each line ends with a word that no secret has. */
async function shown(
  t: TestContext,
  writes: readonly (readonly string[])[],
  options: QuarkOptions,
): Promise<QuarkEvent[]> {
  const folder = mkdtempSync(join(tmpdir(), 'quark-shown-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'texts.json')
  writeFileSync(file, JSON.stringify(writes))
  const ending = new AbortController()
  const quark = await Quark.open({
    tty: true,
    backends: ['ebpf'],
    ringSizeBytes: 2 ** 24,
    signal: ending.signal,
    ...options,
  })
  try {
    assert.equal(spawnSync('python3', ['-c', WRITER, file], { stdio: 'inherit' }).status, 0)
    setTimeout(() => ending.abort(), 100)
    const events: QuarkEvent[] = []
    for await (const event of quark) events.push(event)
    return events
  } finally {
    await quark.close()
  }
}

const names = { userName: () => undefined, groupName: () => undefined }
const decoder = new TextDecoder()

const FORMS: Readonly<Record<string, (event: QuarkEvent) => string>> = {
  text: (event) => textOf(event),
  'plain text': (event) => (event.kind === 'tty' ? (event.text ?? '') : ''),
  dump: (event) => dumpOf(event),
  JSON: (event) => jsonOf(event),
  'lean ECS': createEcs(names),
  'full ECS': createEcs(names, { form: 'full' }),
  'an object': (event) =>
    JSON.stringify(event.toObject(), (_, value) => (typeof value === 'bigint' ? `${value}` : value)),
  bytes: (event) => (event.kind === 'tty' ? decoder.decode(event.data) : ''),
}

/** Bytes as JSON and terminals escape them are searched for as they are, too. */
function leaks(text: string): string[] {
  return SHOWN.filter(
    ({ secret }) => text.includes(secret) || text.includes(JSON.stringify(secret).slice(1, -1)),
  ).map(({ what }) => what)
}

const END = 'shown-to-the-end'

test('there are more than forty shapes', () => {
  assert.ok(SHOWN.length >= 40, String(SHOWN.length))
})

test(
  'no secret that a terminal shows is in any output, nor in a recording or what is replayed of it',
  LIMIT,
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'quark-shown-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    const record = join(folder, 'recording')
    const writes = SHOWN.map(({ text }) => [`${text}\n`])
    const live = await shown(t, [...writes, [END]], { record })
    const replay = await Quark.replay(record, { redact: false })
    const replayed: QuarkEvent[] = []
    for await (const event of replay) replayed.push(event)
    await replay.close()
    for (const [what, events] of Object.entries({ live, replayed })) {
      const ours = events.filter((event) => event.kind === 'tty')
      const all = ours.map((event) => event.text ?? '').join('')
      assert.ok(all.includes(END), `${what}: the terminal was not seen`)
      assert.ok(all.split(MARK).length > SHOWN.length, `${what}: ${all.split(MARK).length - 1} were replaced`)
      for (const [name, form] of Object.entries(FORMS)) {
        assert.deepEqual(leaks(ours.map(form).join('\n')), [], `${what}, ${name}`)
      }
    }
    assert.deepEqual(leaks(readFileSync(record, 'latin1')), [])
  },
)

test('a secret that is written in two pieces is in no event', LIMIT, async (t) => {
  const writes = SHOWN.map(({ text, secret }) => {
    const middle = text.indexOf(secret) + (secret.length >> 1)
    return [text.slice(0, middle), `${text.slice(middle)}\n`]
  })
  const events = (await shown(t, [...writes, [END]], {})).filter((event) => event.kind === 'tty')
  assert.ok(
    events
      .map(({ text }) => text)
      .join('')
      .includes(END),
  )
  for (const [name, form] of Object.entries(FORMS)) {
    assert.deepEqual(leaks(events.map(form).join('\n')), [], name)
  }
})

test('raw records of terminals have no secrets', LIMIT, async (t) => {
  const events = await shown(t, [...SHOWN.map(({ text }) => [`${text}\n`]), [END]], { bypass: true })
  const texts = events.flatMap((event) =>
    event.kind === 'raw' ? [Buffer.from(event.bytes).toString('latin1')] : [],
  )
  assert.ok(texts.some((text) => text.includes(END)))
  // The file of the texts itself is on no command line.
  assert.deepEqual(leaks(texts.join('\n')), [])
})
