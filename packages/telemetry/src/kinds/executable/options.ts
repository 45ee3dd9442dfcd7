import type { OptionSpecs, SettingsOf } from '../../options/spec.js'

const MIB = 2 ** 20
const GIB = 2 ** 30

/** Options about the files that are executed. */
export const executableOptions = {
  /** Which file is executed, its size and sha256, and the script that it interprets. Default false. */
  executables: {
    type: 'flag',
    default: false,
    notWithBypass: true,
    command: {
      group: 'watch',
      long: 'executables',
      help: 'show sha256 and size of what is executed, and the scripts that are interpreted',
      more: 'No event waits: a sha256 that is not known by then is in an event of its own. A process of its own reads the files.',
    },
  },
  /** Name the packages that have these files. Default false. Implies `executables`. */
  packages: {
    type: 'flag',
    default: false,
    notWithBypass: true,
    command: {
      group: 'watch',
      long: 'packages',
      help: 'as --executables, and name the packages that have the files: of dpkg, rpm, apk and npm',
    },
  },
  /** Larger files are not read. Default 512 MiB. */
  maxHashBytes: {
    type: 'bytes',
    default: 512 * MIB,
    min: 0,
    max: 1024 * GIB,
    notWithBypass: true,
    command: {
      group: 'buffer',
      long: 'max-hash-bytes',
      argument: 'BYTES',
      help: 'read no executable that is larger',
    },
  },
  /** Executables are read at most so fast, on average. Default 64 MiB a second. */
  hashBytesPerSecond: {
    type: 'bytes',
    default: 64 * MIB,
    min: MIB,
    max: 1024 * GIB,
    notWithBypass: true,
    command: {
      group: 'buffer',
      long: 'hash-rate',
      argument: 'BYTES',
      help: 'read at most this many bytes of executables a second',
    },
  },
  /** Of so many files it is remembered what is in them; beyond it the one unused longest goes. Default 16,384. */
  maxExecutables: {
    type: 'count',
    default: 16_384,
    min: 16,
    max: 1_000_000,
    isRecorded: true,
    notWithBypass: true,
    command: {
      group: 'buffer',
      long: 'max-executables',
      argument: 'N',
      help: 'remember the sha256 of this many files at most',
    },
  },
} as const satisfies OptionSpecs

/** These options with every default filled in. */
export type ExecutableSettings = SettingsOf<typeof executableOptions>
