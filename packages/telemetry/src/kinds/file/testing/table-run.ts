/**
 * A program that makes every situation with each sort of rungs that this kernel has, and writes what was seen as lines of
 * JSON: `node table-run.js [rung…]`. `npm run files` makes a table of them.
 */

import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Absent, type Row, writeRow } from '../../../testing/situation-rows.js'
import { type RungName, RUNGS } from './rungs.js'
import { hasPython, SITUATIONS, wholeOf } from './situations.js'
import { verdictOf } from './verdict.js'
import { watchAll } from './watch.js'

const MAX_TRIES = 3

/** The loss of a record makes it begin again. */
async function rowsOf(rung: RungName): Promise<(Row | Absent)[]> {
  for (let tries = 1; ; tries += 1) {
    const root = realpathSync(mkdtempSync(join(tmpdir(), 'quark-files-')))
    try {
      const run = await watchAll(rung, root)
      if ('absent' in run) return [{ rung, absent: run.absent }]
      if (run.lost > 0 && tries < MAX_TRIES) continue
      if (run.lost > 0) console.error(`${rung}: ${run.lost} records are lost in each of ${MAX_TRIES} runs`)
      return run.seen.flatMap(({ name, absent, sentences, expected }): (Row | Absent)[] => {
        if (absent !== undefined) {
          console.error(`${name}: this kernel has no ${absent}`)
          return []
        }
        const situation = SITUATIONS[name] as (typeof SITUATIONS)[string]
        const whole = wholeOf(situation, rung)
        if (whole === undefined) return []
        return [{ rung, situation: name, ...verdictOf(whole, expected, sentences) }]
      })
    } finally {
      rmSync(root, { recursive: true, force: true })
    }
  }
}

const wanted = process.argv.slice(2)
if (!hasPython) console.error('Python 3.9 is not there: nothing is run')
for (const rung of Object.keys(RUNGS) as RungName[]) {
  if (!hasPython || (wanted.length > 0 && !wanted.includes(rung))) continue
  try {
    for (const row of await rowsOf(rung)) writeRow(row)
  } catch (error) {
    writeRow({ rung, absent: (error as Error).message })
  }
}
