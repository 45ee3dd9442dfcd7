/**
 * A program that makes the situations of kinds with each sort of rungs that this kernel has, and writes what was seen as rows:
 * `node table-run.js [kind…]`. `npm run kinds` makes tables of them.
 */

import { existsSync } from 'node:fs'
import { BackendError, OptionError } from '../../errors.js'
import { openQuark, type Quark } from '../../quark.js'
import { SORTS, withSort } from '../../testing/rung-sorts.js'
import { writeRow } from '../../testing/situation-rows.js'
import { type SituationsOf, verdictsOf } from '../../testing/situations.js'
import { catalogueOf } from '../catalogue.js'
import { cgroupKind } from '../cgroup/index.js'
import { kinds, type QuarkEvent } from '../index.js'
import type { Kind } from '../kind.js'
import { processKind } from '../process/index.js'

const MAX_TRIES = 4

/** Ways to learn: sorts of rungs of programs, and other backends. */
const WAYS = [...SORTS, 'audit', 'procConnector'] as const
type Way = (typeof WAYS)[number]

function isSort(way: Way): way is (typeof SORTS)[number] {
  return (SORTS as readonly string[]).includes(way)
}

/** The kind as that way has it, and the names of its facts then. */
function kindBy(way: Way, kind: Kind): Kind {
  if (isSort(way)) return withSort(kind, way)
  const facts: Kind['facts'] = (surroundings) =>
    kind.facts(surroundings).filter(({ rungs }) => rungs.some(({ by }) => by === way))
  return { ...kind, facts }
}

/** A queue, or why there is none; undefined if the kind has nothing of the way. */
async function open(way: Way, kind: Kind, { options }: SituationsOf): Promise<Quark | string | undefined> {
  const names: string[] = []
  const changed = kindBy(way, kind)
  const facts: Kind['facts'] = (surroundings) => {
    const found = changed.facts(surroundings)
    names.push(...found.map(({ name }) => name))
    return found
  }
  try {
    const quark = (await openQuark(catalogueOf([processKind, cgroupKind, { ...changed, facts }]), {
      backends: [isSort(way) ? 'ebpf' : way],
      aggregation: 'none',
      ringSizeBytes: 2 ** 25,
      ...options,
    })) as unknown as Quark
    const { missing } = quark.capabilities
    const reasons = names.map((name) => missing.find(({ fact }) => fact === name)?.reason)
    if (names.length > 0 && reasons.includes(undefined)) return quark
    await quark.close()
    return names.length === 0 ? undefined : [...new Set(reasons)].join('; ')
  } catch (error) {
    if (names.length === 0) return undefined
    if (error instanceof BackendError || error instanceof OptionError)
      return error.message.replace(/^Option .* cannot be met with the backend \w+: /, '')
    throw error
  }
}

/** One way with all situations of a kind; the loss of a record makes it begin again. */
async function write(way: Way, kind: Kind, situations: SituationsOf): Promise<void> {
  const place = { group: kind.name, rung: way }
  for (let tries = 1; ; tries += 1) {
    const quark = await open(way, kind, situations)
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
