/** The fact of who opens sensitive files. */

import type { Fact } from '../../facts/fact.js'
import type { Surroundings } from '../kind.js'
import { accessProbes } from './kernel.js'
import type { FileAccessSettings } from './options.js'
import { AccessPlaces, MAX_DIRECTORIES, MAX_NAMES, SENSITIVE } from './places.js'

export function fileAccessFacts({ settings: { fileAccess } }: Surroundings<FileAccessSettings>): Fact[] {
  if (fileAccess === false) return []
  const places = new AccessPlaces(fileAccess).kernel()
  // Of what is watched by default, few machines have all.
  const isDefault = fileAccess === true || SENSITIVE.every((path) => fileAccess.includes(path))
  const absent = isDefault ? [] : places.absent
  return [
    {
      name: 'fileAccess',
      required: false,
      rungs: [
        {
          by: 'ebpf',
          probes: accessProbes(places),
          lacks: [
            {
              what: 'fileAccess.calls',
              reason: 'what is opened by io_uring, by handle or by 32-bit programs is not seen',
            },
            {
              what: 'fileAccess.later',
              reason: 'directories that are made or replaced after the start are not watched',
            },
            ...(absent.length === 0
              ? []
              : [
                  {
                    what: 'fileAccess.absent',
                    reason: `not there, or on a file system that another machine or a program serves, so that only denied opens are seen: ${absent.join(', ')}`,
                  },
                ]),
            ...(places.left.length === 0
              ? []
              : [
                  {
                    what: 'fileAccess.all',
                    reason: `programs have room for ${MAX_DIRECTORIES} directories and ${MAX_NAMES} names; not all is watched of ${places.left.join(', ')}`,
                  },
                ]),
          ],
        },
      ],
    },
  ]
}
