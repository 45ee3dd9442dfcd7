import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openQuark, replayQuark } from '../../../quark.js'
import type { Quark } from '../../../quark.js'
import { catalogueOf } from '../../catalogue.js'
import { kinds } from '../../index.js'
import type { PriorityEvent } from './events.js'
import { priorityKind } from './index.js'

const catalogue = catalogueOf([...kinds, priorityKind] as const)
const LIMIT = { timeout: 60_000 }

let directory = ''
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'quark-priority-'))
})
after(() => rmSync(directory, { recursive: true }))

/** What events say that does not change from run to run. */
async function prioritiesOf(quark: Quark, who: number, count: number) {
  const seen: object[] = []
  for await (const event of quark as AsyncIterable<unknown> as AsyncIterable<PriorityEvent>) {
    if (event.kind !== 'priority' || event.who !== who) continue
    const { target, nice, before: earlier, note, process } = event
    seen.push({ target, nice, before: earlier, note, caller: process?.pid })
    if (seen.length === count) break
  }
  return seen
}

test(
  'priorities are seen as they are set, with notes from the FIFO, and once more in a replay',
  LIMIT,
  async (t) => {
    const notes = join(directory, 'notes')
    const path = join(directory, 'recording')
    assert.equal(spawnSync('mkfifo', [notes]).status, 0)
    const child = spawn('/bin/sleep', ['60'])
    t.after(() => child.kill())
    await once(child, 'spawn')
    const who = child.pid as number
    // The scan finds it.
    setPriority(who, 3)

    const quark = await openQuark(catalogue, {
      priorities: true,
      priorityNotes: notes,
      backends: ['ebpf'],
      record: path,
      holdMs: 500,
    })
    const attached = quark.capabilities.attached.filter(({ fact }) => fact.startsWith('priorit'))
    assert.deepEqual(
      // By which programs depends on the kernel.
      attached.map(({ fact, hook }) => [fact, hook.replace(/^(tp_btf|raw_tp)/, 'tracepoint')]),
      [
        ['priorities', 'tracepoint/sys_exit'],
        ['priorityNotes', 'fifo/notes'],
      ],
    )
    setPriority(who, 7)
    writeFileSync(notes, `0 ${who} 7 it can wait\nnonsense\n${'x'.repeat(5000)}\n`)
    assert.throws(() => setPriority(2 ** 22 - 1, 7), /ESRCH/)

    const expected = [
      { target: 'process', nice: 7, before: 3, note: 'it can wait', caller: process.pid },
      { target: 'process', nice: 9, before: 7, note: undefined, caller: process.pid },
    ]
    // A note has the time at which it is read.
    const first = await prioritiesOf(quark, who, 1)
    setPriority(who, 9)
    assert.deepEqual([...first, ...(await prioritiesOf(quark, who, 1))], expected)
    const { tables, lost } = quark.stats()
    assert.ok((tables['priority']?.['size'] ?? 0) > 0)
    assert.ok(lost >= 2, 'lines that are no notes')
    await quark.close()

    const replayed = await replayQuark(catalogue, path, {})
    assert.deepEqual(await prioritiesOf(replayed, who, 2), expected)
    await replayed.close()
  },
)

test('an option whose fact the backend does not know is refused there, with the reason', LIMIT, async () => {
  const options = { priorities: true, backends: ['procConnector'] }
  await assert.rejects(openQuark(catalogue, options), {
    name: 'OptionError',
    message:
      'Option "priorities" cannot be met with the backend procConnector: no message is about priorities (this needs the backend ebpf or audit)',
  })
})
