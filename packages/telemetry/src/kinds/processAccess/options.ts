import type { OptionSpecs, SettingsOf } from '../../options/spec.js'

/** Options about access to other processes. */
export const processAccessOptions = {
  /** Also access of processes to memory and files of others. Default false. */
  processAccess: {
    type: 'flag',
    default: false,
    isKindSwitch: true,
    command: {
      group: 'watch',
      long: 'process-access',
      help: 'also show processes that read or write the memory of others, or take their files',
    },
  },
} as const satisfies OptionSpecs

/** The options about access to other processes with every default filled in. */
export type ProcessAccessSettings = SettingsOf<typeof processAccessOptions>
