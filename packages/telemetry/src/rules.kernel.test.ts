import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { QuarkEvent, QuarkOptions } from './kinds/index.js'
import { Quark } from './quark.js'
import { rulesOf } from './rule-sets.js'

async function observed(options: QuarkOptions, act: () => void | Promise<void>): Promise<QuarkEvent[]> {
  const ending = new AbortController()
  await using quark = await Quark.open({ ...options, signal: ending.signal })
  await act()
  setTimeout(() => ending.abort(), 100)
  const events: QuarkEvent[] = []
  for await (const event of quark) events.push(event)
  return events
}

/** What ran of what has the marker as an argument. */
function commands(events: readonly QuarkEvent[], marker: string): string[] {
  return events.flatMap(({ process }) => {
    const { argv } = process ?? {}
    return argv?.at(-1) === marker ? [argv.slice(0, -1).join(' ')] : []
  })
}

function sh(script: string): void {
  execFileSync('/bin/sh', ['-c', script])
}

test('rules decide which events are delivered, and count', async () => {
  const rules = rulesOf('drop on process.arg b\npass on process.arg marker-1\ndrop on any')
  const events = await observed({ rules }, () =>
    sh('/bin/echo a marker-1 >/dev/null; /bin/echo b marker-1 >/dev/null; /bin/true'),
  )
  assert.deepEqual(commands(events, 'marker-1'), ['/bin/echo a'])
  assert.equal(events.filter(({ kind }) => kind === 'process').length, 1)
  const [dropped, passed] = rules.counters()
  assert.equal(dropped?.hits, 1)
  assert.ok((passed?.evals ?? 0) >= 1)
})

test('a tag reaches all descendants, those of processes that exist already included', async () => {
  // The shell exists before, and has a child that exists before.
  const shell = spawn(
    '/bin/sh',
    ['-c', '(while read x; do /bin/echo child marker-2 >/dev/null; done); true'],
    {
      stdio: ['pipe', 'ignore', 'ignore'],
    },
  )
  await new Promise((resolve) => setTimeout(resolve, 300))
  try {
    const rules = rulesOf(
      `poison 7 on process.pid ${shell.pid}\npoison 9 on process.arg grand*\npass on poison 7\npass on poison 9\ndrop on any`,
    )
    const events = await observed({ rules }, async () => {
      shell.stdin.write('\n')
      sh('/bin/echo stranger marker-2 >/dev/null')
      sh('sh -c "sh -c \\"/bin/echo deep marker-2 >/dev/null\\"; true" grandparent')
      await new Promise((resolve) => setTimeout(resolve, 300))
    })
    assert.deepEqual(commands(events, 'marker-2').sort(), ['/bin/echo child', '/bin/echo deep'])
  } finally {
    shell.stdin.end()
    if (shell.exitCode === null) await once(shell, 'exit')
  }
})

test('ancestors are found, and a replay is decided by rules of its own', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'quark-rules-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const record = join(directory, 'recording')
  await observed({ record }, () =>
    sh('sh -c "/bin/echo below marker-3 >/dev/null; true" top; /bin/echo beside marker-3 >/dev/null'),
  )
  const rules = rulesOf(`pass on ancestor.pid ${process.pid} process.arg marker-3\ndrop on any`)
  await using quark = await Quark.replay(record, { rules })
  const events: QuarkEvent[] = []
  for await (const event of quark) events.push(event)
  assert.deepEqual(commands(events, 'marker-3').sort(), ['/bin/echo below', '/bin/echo beside'])
})

test('rules are checked when they are given', async () => {
  await assert.rejects(Quark.open({ rules: 'drop on any' as never }), {
    code: 'ERR_QUARK_OPTION',
    message: /Option "rules" must be a RuleSet/,
  })
  assert.throws(() => rulesOf('drop on nothing', 'my.rules'), {
    code: 'ERR_QUARK_RULES',
    message: /^my\.rules:1:9: there is no field "nothing"/,
  })
})
