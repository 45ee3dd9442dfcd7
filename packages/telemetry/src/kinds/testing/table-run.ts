/**
 * A program that makes the situations of kinds with each sort of rungs that this kernel has, and writes what was seen as rows:
 * `node table-run.js [kind…]`. `npm run kinds` makes tables of them.
 */

import { existsSync } from 'node:fs'
import { openWay, type Way, WAYS } from '../../testing/ways.js'
import { writeRow } from '../../testing/situation-rows.js'
import { type SituationsOf, verdictsOf } from '../../testing/situations.js'
import { kinds, type QuarkEvent } from '../index.js'
import type { Kind } from '../kind.js'

const MAX_TRIES = 4

/** One way with all situations of a kind; the loss of a record makes it begin again. */
async function write(way: Way, kind: Kind, situations: SituationsOf): Promise<void> {
  const place = { group: kind.name, rung: way }
  for (let tries = 1; ; tries += 1) {
    const quark = await openWay(way, kind, {
      aggregation: 'none',
      ringSizeBytes: 2 ** 25,
      ...situations.options,
    })
    if (quark === undefined) return
    if (typeof quark === 'string') return writeRow({ ...place, absent: quark })
    const facts = await situations.run()
    const events = quark.finish() as readonly QuarkEvent[]
    await quark.close()
    if (quark.stats().lost > 0 && tries < MAX_TRIES) continue
    for (const [situation, verdict] of verdictsOf(situations.observe(facts, events)))
      writeRow({ ...place, situation, ...verdict })
    return
  }
}

const wanted = process.argv.slice(2)
for (const kind of kinds as readonly Kind[]) {
  const file = new URL(`../${kind.name}/testing/situations.js`, import.meta.url)
  if (!existsSync(file) || (wanted.length > 0 && !wanted.includes(kind.name))) continue
  const { situations } = (await import(file.href)) as { readonly situations?: SituationsOf }
  // Some kinds have situations in another form.
  if (situations === undefined) continue
  if (situations.problem !== undefined) {
    writeRow({ group: kind.name, rung: 'calls', absent: situations.problem })
    continue
  }
  for (const way of WAYS) {
    try {
      await write(way, kind, situations)
    } catch (error) {
      writeRow({ group: kind.name, rung: way, absent: String(error) })
    }
  }
}
