import type { OptionSpecs, SettingsOf } from '../../options/spec.js'

/** Options about changes of files. */
export const fileOptions = {
  /**
   * Also changes of files: everywhere, or below these paths. The last part of a path may be a glob, such as
   * `/etc/*.conf`, for the names of files below `/etc`. Symbolic links in paths are followed when the queue is opened.
   * Default false.
   */
  files: {
    type: 'places',
    default: false,
    isKindSwitch: true,
    isRecorded: true,
    command: {
      group: 'watch',
      long: 'file',
      short: 'F',
      argument: 'PATH,…',
      withoutArgument: '/',
      byDefault: 'no files',
      help: 'also show changes of files, everywhere or below these paths',
      more: 'The last part of a path may be a glob, such as /etc/*.conf, for the names of files below. File systems that keep nothing, such as /proc, are left out, and what quark itself writes.',
    },
  },
  /** What changes of files are watched: names, content, attributes. Default all. */
  fileOperations: {
    type: 'list',
    default: ['names', 'content', 'attributes'],
    words: ['names', 'content', 'attributes'],
    item: 'operation on files',
    command: {
      group: 'watch',
      long: 'file-operations',
      argument: 'LIST',
      help: 'which changes of files: names (create, move, remove …), content, attributes',
    },
  },
  /** Only changes of files by processes with one of these real uids. Default: all. */
  fileUids: {
    type: 'numbers',
    min: 0,
    max: 0xffff_ffff,
    item: 'uid',
    command: {
      group: 'watch',
      long: 'file-uids',
      argument: 'UID,…',
      help: 'only changes of files by processes with one of these real uids',
      more: 'Programs in the kernel leave out all others.',
    },
  },
} as const satisfies OptionSpecs

/** The options of files with every default filled in. */
export type FileSettings = SettingsOf<typeof fileOptions>
