import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { dumpWriter } from '../output/dump.js'
import { ecsWriter } from '../output/ecs.js'
import { jsonWriter } from '../output/json.js'
import { textWriter } from '../output/text.js'
import { Quark } from '../quark.js'
import { recordReal } from '../testing/real-records.js'
import { catalogue, kinds } from './index.js'
import type { Kind } from './kind.js'

const RECORDS = 300
const NOBODY = { userName: () => undefined, groupName: () => undefined }

/** Numbers that are often where something ends. */
const word = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_fffe, 0x8000_0001),
  fc.nat({ max: 32 }),
  fc.nat({ max: 0xffff_ffff }),
)

for (const { name, records } of kinds as readonly Kind[]) {
  test(`whatever is in records of ${name}, events are made of them, or none`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'quark-random-'))
    t.after(() => rmSync(directory, { recursive: true }))
    for (const { layout, isOwn } of records) {
      if (isOwn === true) continue
      const random = fc.sample(
        fc.array(word, { minLength: layout.fixedSizeBytes / 4, maxLength: layout.fixedSizeBytes / 4 + 16 }),
        { numRuns: RECORDS, seed: layout.type },
      )
      const bytes = random.map((words, index) => {
        const record = Buffer.from(Uint32Array.from(words).buffer)
        record.writeUInt16LE(layout.type, 0)
        record.writeBigUInt64LE(BigInt(1000 + index), 8)
        // A tail that ends beyond the record is another test's.
        for (const { offset } of layout.tails)
          record.writeUInt32LE((record.readUInt32LE(offset) & 0xf000_0000) >>> 0, offset)
        return record.subarray(0, layout.tails.length === 0 ? layout.fixedSizeBytes : record.length)
      })
      const path = join(directory, layout.name)
      recordReal(path, bytes)
      const replay = await Quark.replay(path, { aggregation: 'none' })
      for await (const event of replay) {
        for (const write of [jsonWriter(catalogue), textWriter(catalogue), dumpWriter(catalogue)]) {
          assert.equal(typeof write(event), 'string')
        }
        if (event.kind !== 'raw') assert.ok(ecsWriter(catalogue, NOBODY)(event).length > 0)
      }
      await replay.close()
    }
  })
}
