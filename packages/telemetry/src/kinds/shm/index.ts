import type { Kind, RecordType } from '../kind.js'
import { applyMemfd, applyShmat, applyShmget, applyShmOpen } from './apply.js'
import { shmEvents } from './event-specs.js'
import { shmFacts } from './facts.js'
import { shmOptions } from './options.js'
import { memfdLayout, SHM_KIND, shmatLayout, shmgetLayout, shmOpenLayout } from './records.js'

const records = [
  { name: 'shmget', layout: shmgetLayout, standsAlone: true, apply: applyShmget, colour: 'lightcyan' },
  { name: 'shmat', layout: shmatLayout, standsAlone: true, apply: applyShmat, colour: 'lightcyan' },
  { name: 'memfd', layout: memfdLayout, standsAlone: true, apply: applyMemfd, colour: 'lightcyan' },
  { name: 'shmOpen', layout: shmOpenLayout, standsAlone: true, apply: applyShmOpen, colour: 'lightcyan' },
] satisfies RecordType[]

/** Shared memory of processes: segments, memfds, and files below /dev/shm. */
export const shmKind: Kind<typeof shmOptions, typeof shmEvents> = {
  name: 'shm',
  number: SHM_KIND,
  ringShare: 0.25,
  options: shmOptions,
  facts: shmFacts,
  records,
  joins: { default: [], minimal: [] },
  factLabels: {
    sharedMemory: 'shared memory segments',
    sharedMemoryAttached: 'shared memory segments that are attached',
    memfds: 'memfds that are created',
    sharedMemoryFiles: 'files below /dev/shm that are opened',
  },
  events: shmEvents,
}
