import type { OptionSpecs, SettingsOf } from '../../options/spec.js'

/** Options about files that are written and then executed. */
export const execChangeOptions = {
  /** Whether a program or script that is executed was written before by the same session or tree. Default false. */
  execChanges: {
    type: 'flag',
    default: false,
    isKindSwitch: true,
    command: {
      group: 'watch',
      long: 'exec-changes',
      help: 'show who wrote what is executed, if it was the same session or tree of processes',
    },
  },
  /** Of so many files it is known who wrote them; beyond it the one unused longest goes. Default 16,384. */
  maxWrittenFiles: {
    type: 'count',
    default: 16_384,
    min: 256,
    max: 1_048_576,
    command: {
      group: 'buffer',
      long: 'max-written-files',
      argument: 'N',
      help: 'remember who wrote this many files at most',
    },
  },
} as const satisfies OptionSpecs

/** These options with every default filled in. */
export type ExecChangeSettings = SettingsOf<typeof execChangeOptions>
