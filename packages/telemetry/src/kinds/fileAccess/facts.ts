/** The fact of who opens sensitive files. */

import type { Fact } from '../../facts/fact.js'
import type { Surroundings } from '../kind.js'
import { accessProbes } from './kernel.js'
import type { FileAccessSettings } from './options.js'
import { AccessPlaces } from './places.js'

export function fileAccessFacts({ settings: { fileAccess } }: Surroundings<FileAccessSettings>): Fact[] {
  if (fileAccess === false) return []
  return [
    {
      name: 'fileAccess',
      required: false,
      rungs: [
        {
          by: 'ebpf',
          probes: accessProbes(new AccessPlaces(fileAccess)),
          lacks: [
            {
              what: 'fileAccess.calls',
              reason: 'what is opened by io_uring, by handle or by 32-bit programs is not seen',
            },
            {
              what: 'fileAccess.later',
              reason: 'directories that are made or replaced after the start are not watched',
            },
          ],
        },
      ],
    },
  ]
}
