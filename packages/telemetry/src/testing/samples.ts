/** Sample events of each kind: a kind has them in `kinds/<name>/testing/samples.ts`, and golden texts in `testdata/`. */

import * as fc from 'fast-check'
import type { BaseEvent } from '../event/event.js'
import { ownSpecs } from '../event/own-specs.js'
import type { EventSpec } from '../event/spec.js'
import { kinds } from '../kinds/index.js'
import type { Process } from '../process/process.js'

export interface Samples {
  /** Events of every kind and shape, in the order of their golden texts. */
  readonly golden: readonly BaseEvent[]
  /** Events as an attacker would have them. */
  readonly any: fc.Arbitrary<BaseEvent>
  /** Processes that golden events are related to. */
  readonly processes?: readonly Process[]
  readonly anyProcess?: fc.Arbitrary<Process>
}

/** Samples, and where they are. */
export interface KindSamples extends Samples {
  readonly name: string
  /** Folder in `src`. */
  readonly folder: string
  /** The events that are to have samples. */
  readonly events: readonly EventSpec[]
}

interface SamplesFile {
  readonly samples: Samples
}

/** Those of one folder; rejects if it has none. */
export async function samplesIn(
  folder: string,
  name: string,
  events: readonly EventSpec[],
): Promise<KindSamples> {
  const { samples } = (await import(`../${folder}/testing/samples.js`)) as SamplesFile
  return { ...samples, name, folder, events }
}

/** The samples of all kinds that have events, and those of quark's own events. */
export const allSamples: readonly KindSamples[] = await Promise.all([
  ...kinds
    .filter((kind) => (kind.events ?? []).length > 0)
    .map(({ name, events }) => samplesIn(`kinds/${name}`, name, events ?? [])),
  samplesIn('event', 'quark', ownSpecs),
])

/** Any event of any kind. */
export const anyEvent: fc.Arbitrary<BaseEvent> = fc.oneof(...allSamples.map(({ any }) => any))
