import type { OptionSpecs, SettingsOf } from '../../options/spec.js'

/** Options about getpid(2). */
export const getpidOptions = {
  /** Also every call of getpid(2): the cheapest event there is, to measure what events cost. Default false. */
  getpid: {
    type: 'flag',
    default: false,
    command: {
      group: 'watch',
      long: 'getpid',
      short: 'G',
      help: 'also show calls of getpid(2): for benchmarks',
    },
  },
} as const satisfies OptionSpecs

/** The options about getpid(2) with every default filled in. */
export type GetpidSettings = SettingsOf<typeof getpidOptions>
