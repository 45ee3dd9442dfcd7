/**
 * A program that watches a kind after it gave up all rights, and compares: `node dropped-run.js KIND`. It says that it is ready,
 * and reads what the situations were that somebody else made meanwhile.
 */

import { once } from 'node:events'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Quark } from '../../quark.js'
import { dropPrivileges } from '../../self/privileges.js'
import type { ActivityFacts } from '../../testing/activities.js'
import { type SituationsOf, verdictsOf } from '../../testing/situations.js'

const kind = process.argv[2] ?? ''
const { situations } = (await import(`../${kind}/testing/situations.js`)) as {
  readonly situations: SituationsOf
}
const lines = createInterface(process.stdin)
const quark = await Quark.open({
  backends: ['ebpf'],
  aggregation: 'none',
  ringSizeBytes: 2 ** 24,
  ...situations.options,
})
const root = mkdtempSync(join(tmpdir(), 'quark-dropped-'))
process.chdir(root)
rmdirSync(root)
dropPrivileges('nobody', '.')
process.stdout.write('ready\n')
const [line] = (await once(lines, 'line')) as [string]
const events = quark.finish()
await quark.close()
const { lost } = quark.stats()
const verdicts = [...verdictsOf(situations.observe(JSON.parse(line) as ActivityFacts, events))]
process.stdout.write(`${JSON.stringify({ uid: process.getuid?.(), lost, verdicts })}\n`)
lines.close()
