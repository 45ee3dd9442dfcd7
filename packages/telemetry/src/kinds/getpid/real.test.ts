import { test } from 'node:test'
import { jsonWriter } from '../../output/json.js'
import { matchGolden } from '../../testing/golden.js'
import { eventsOfReal } from '../../testing/real-records.js'
import { catalogue } from '../index.js'

test('the records of a real run of getpid are what was seen of it', async () => {
  const write = jsonWriter(catalogue)
  const lines = (await eventsOfReal('getpid')).map((event) => `${write(event)}\n`)
  matchGolden('kinds/getpid/testdata/real.ndjson', lines.join(''))
})
