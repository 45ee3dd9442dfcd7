import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { jsonWriter } from '../output/json.js'
import { matchGolden } from '../testing/golden.js'
import { eventsOfReal } from '../testing/real-records.js'
import { catalogue, kinds } from './index.js'

for (const { name } of kinds) {
  if (!existsSync(new URL(`../../src/kinds/${name}/testdata/real.hex`, import.meta.url))) continue
  test(`the records of a real run of ${name} are what was seen of it`, async () => {
    const write = jsonWriter(catalogue)
    const lines = (await eventsOfReal(name)).map((event) => `${write(event)}\n`)
    matchGolden(`kinds/${name}/testdata/real.ndjson`, lines.join(''))
  })
}
