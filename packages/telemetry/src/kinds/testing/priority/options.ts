import type { OptionSpecs, SettingsOf } from '../../../options/spec.js'

/** Options about priorities. */
export const priorityOptions = {
  /** Also changes of priorities. Default false. */
  priorities: {
    type: 'flag',
    default: false,
    isKindSwitch: true,
    command: { group: 'watch', long: 'priorities', help: 'also show changes of priorities' },
  },
  /** A FIFO from which notes about priorities are read: lines of `which who nice text`. */
  priorityNotes: {
    type: 'path',
    command: { group: 'source', long: 'priority-notes', argument: 'FIFO', help: 'read notes from this FIFO' },
  },
  /** Most priorities in the table; beyond it the one that was set longest ago goes. Default 1,024. */
  maxPriorities: {
    type: 'count',
    default: 1024,
    min: 1,
    max: 65_536,
    isRecorded: true,
    command: {
      group: 'buffer',
      long: 'max-priorities',
      argument: 'N',
      help: 'remember at most this many priorities',
    },
  },
} as const satisfies OptionSpecs

/** These options with every default filled in. */
export type PrioritySettings = SettingsOf<typeof priorityOptions>
