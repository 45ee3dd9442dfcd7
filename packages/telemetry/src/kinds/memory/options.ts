import type { OptionSpecs, SettingsOf } from '../../options/spec.js'

/** Options about memory that becomes executable. */
export const memoryOptions = {
  /** Also memory that processes make executable, once per program and sort. Default false. */
  executableMemory: {
    type: 'flag',
    default: false,
    isKindSwitch: true,
    command: {
      group: 'watch',
      long: 'executable-memory',
      help: 'also show memory that processes make executable, once per program and sort',
    },
  },
} as const satisfies OptionSpecs

/** The options about executable memory with every default filled in. */
export type MemorySettings = SettingsOf<typeof memoryOptions>
