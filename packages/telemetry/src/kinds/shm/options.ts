import type { OptionSpecs, SettingsOf } from '../../options/spec.js'

/** Options about shared memory. */
export const shmOptions = {
  /** Also shared memory that processes make and open. Default false. */
  sharedMemory: {
    type: 'flag',
    default: false,
    isKindSwitch: true,
    command: [
      {
        group: 'watch',
        long: 'shared-memory',
        short: 'H',
        help: 'also show shared memory: shmget(2), shmat(2), memfd_create(2), files below /dev/shm',
      },
      {
        group: 'watch',
        long: 'shm',
        help: 'the same as --shared-memory',
        more: 'The same as --shared-memory, for scripts that were written for the quark-mon in C.',
      },
    ],
  },
} as const satisfies OptionSpecs

/** The options about shared memory with every default filled in. */
export type ShmSettings = SettingsOf<typeof shmOptions>
