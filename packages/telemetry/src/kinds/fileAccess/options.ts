import type { OptionSpecs, SettingsOf } from '../../options/spec.js'

/** Options about who opens sensitive files. */
export const fileAccessOptions = {
  /**
   * Also who opens sensitive files, or is denied to: credentials, and the memory and environment of other processes in
   * /proc; or the files of these paths and below. Names may be globs. Symbolic links in
   * paths are followed when the queue is opened. Default false.
   */
  fileAccess: {
    type: 'places',
    default: false,
    isKindSwitch: true,
    isRecorded: true,
    command: {
      group: 'watch',
      long: 'file-access',
      argument: 'PATH,…',
      byDefault: 'no files',
      withoutArgument: 'sensitive',
      help: 'also show who opens sensitive files, or files at and below these paths, or is denied to',
      more: 'Without a path these are credentials, and the memory and environment of other processes in /proc. Each file is shown once per process.',
    },
  },
} as const satisfies OptionSpecs

/** The options with every default filled in. */
export type FileAccessSettings = SettingsOf<typeof fileAccessOptions>
