/**
 * A program that prints the records of a kind of its situations, one a line, for `testdata/real.hex`:
 * `node records-run.js KIND`.
 */

import { Quark } from '../../quark.js'
import type { SituationsOf } from '../../testing/situations.js'
import type { RawEvent } from '../../event/raw-event.js'
import { kinds } from '../index.js'

const KIND_BYTE = 1

const name = process.argv[2] ?? ''
const { situations } = (await import(`../${name}/testing/situations.js`)) as {
  readonly situations: SituationsOf
}
const number = kinds.find((kind) => kind.name === name)?.number
const { aggregation: _aggregation, ...options } = situations.options
const quark = await Quark.open({ ...options, backends: ['ebpf'], bypass: true, ringSizeBytes: 2 ** 24 })
await situations.run()
for (const event of quark.finish() as readonly { readonly kind: string }[]) {
  if (event.kind !== 'raw') continue
  const { bytes } = event as RawEvent
  if (bytes[KIND_BYTE] === number) console.log(`@@record ${Buffer.from(bytes).toString('hex')}`)
}
await quark.close()
