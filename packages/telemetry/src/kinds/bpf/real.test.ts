import { test } from 'node:test'
import { jsonWriter } from '../../output/json.js'
import { matchGolden } from '../../testing/golden.js'
import { eventsOfReal } from '../../testing/real-records.js'
import { catalogue } from '../index.js'

test('the records of a real run of bpf are what was seen of it', async () => {
  const write = jsonWriter(catalogue)
  const lines = (await eventsOfReal('bpf')).map((event) => `${write(event)}\n`)
  matchGolden('kinds/bpf/testdata/real.ndjson', lines.join(''))
})
