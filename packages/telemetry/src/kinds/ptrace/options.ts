import type { OptionSpecs, SettingsOf } from '../../options/spec.js'

/** Options about ptrace(2). */
export const ptraceOptions = {
  /** Also every call of ptrace(2), with its result and its target. Default false. */
  ptrace: {
    type: 'flag',
    default: false,
    isKindSwitch: true,
    command: {
      group: 'watch',
      long: 'ptrace',
      short: 'T',
      help: 'also show calls of ptrace(2): who traces whom, and how',
    },
  },
} as const satisfies OptionSpecs

/** The options about ptrace(2) with every default filled in. */
export type PtraceSettings = SettingsOf<typeof ptraceOptions>
