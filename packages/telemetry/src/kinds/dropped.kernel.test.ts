import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Quark } from '../quark.js'
import type { Verdict } from '../testing/situation-rows.js'
import { type SituationsOf, verdictsOf } from '../testing/situations.js'
import { kinds, type QuarkEvent } from './index.js'

const PROGRAM = fileURLToPath(new URL('testing/dropped-run.js', import.meta.url))
const MAX_TRIES = 4

type Verdicts = readonly (readonly [string, Verdict])[]

interface Result {
  readonly lost: number
  readonly verdicts: Verdicts
}

/** What a process sees that gave up all rights, of situations that this one makes. */
async function seenWithout(kind: string, situations: SituationsOf): Promise<Result> {
  const child = spawn(process.execPath, [PROGRAM, kind], {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 120_000,
  })
  const closed = once(child, 'close')
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  assert.equal((await lines.next()).value, 'ready')
  child.stdin.end(`${JSON.stringify(await situations.run())}\n`)
  const { uid, ...result } = JSON.parse(String((await lines.next()).value)) as Result & { uid: number }
  assert.notEqual(uid, 0)
  const [code] = (await closed) as [number | null]
  assert.equal(code, 0)
  return result
}

/** What this process sees. */
async function seenWith({ options, run, observe }: SituationsOf): Promise<Result> {
  const quark = await Quark.open({
    backends: ['ebpf'],
    aggregation: 'none',
    ringSizeBytes: 2 ** 24,
    ...options,
  })
  const facts = await run()
  const events: readonly QuarkEvent[] = quark.finish()
  await quark.close()
  return { lost: quark.stats().lost, verdicts: [...verdictsOf(observe(facts, events))] }
}

async function withoutLoss(see: () => Promise<Result>): Promise<Verdicts> {
  for (let tries = 1; ; tries += 1) {
    const { lost, verdicts } = await see()
    if (lost === 0) return verdicts
    assert.ok(tries < MAX_TRIES, `${lost} records were lost, ${tries} times`)
  }
}

for (const { name } of kinds) {
  const file = new URL(`${name}/testing/situations.js`, import.meta.url)
  if (!existsSync(file)) continue
  const { situations } = (await import(file.href)) as { readonly situations?: SituationsOf }
  if (situations === undefined) continue
  test(
    `${name}: who gave up all rights sees the same`,
    { timeout: 240_000, skip: situations.problem ?? false },
    async (t) => {
      const expected = await withoutLoss(() => seenWith(situations))
      const seen = await withoutLoss(() => seenWithout(name, situations))
      assert.ok(expected.filter(([, { verdict }]) => verdict === 'right').length > 1)
      assert.deepEqual(seen, expected)
      t.diagnostic(`${seen.length} situations`)
    },
  )
}
