import { MAX_TAIL_BYTES } from 'quark-ebpf/probe'
import type { OptionSpecs, SettingsOf } from '../../options/spec.js'

const KIB = 1024

/** Options about processes. */
export const processOptions = {
  /** Also events of threads. Default false. */
  threads: {
    type: 'flag',
    default: false,
    command: {
      group: 'watch',
      long: 'threads',
      short: 't',
      help: 'also show threads that begin and end',
      notWithBypass: true,
    },
  },
  /** Also kernel threads. Default false. */
  kernelThreads: {
    type: 'flag',
    default: false,
    command: { group: 'watch', long: 'kernel-threads', help: 'also show kernel threads' },
  },
  /** Failed execs with their errno. Puts all system calls of the machine on a slower path. Default false. */
  failedExecs: {
    type: 'flag',
    default: false,
    command: {
      group: 'watch',
      long: 'failed-execs',
      help: 'also show execs that failed, with their error',
      more: 'This makes every system call of the machine a little slower.',
    },
  },
  /** Most bytes of the environment per process. Default 0: not captured. */
  maxEnvBytes: {
    type: 'bytes',
    default: 0,
    min: 0,
    max: MAX_TAIL_BYTES,
    command: {
      group: 'watch',
      long: 'env',
      argument: 'BYTES',
      withoutArgument: '32K',
      byDefault: 'not captured',
      help: 'capture the environment of processes, up to this size (32K without a size)',
    },
  },
  /** Most bytes of argv per process. Default 128 KiB. */
  maxArgvBytes: {
    type: 'bytes',
    default: 128 * KIB,
    min: 0,
    max: MAX_TAIL_BYTES,
    command: {
      group: 'watch',
      long: 'max-argv',
      argument: 'BYTES',
      help: 'cut the arguments of a process at this size',
    },
  },
  /** CPU time, peak RSS and I/O bytes at exit. Default false. */
  usage: {
    type: 'flag',
    default: false,
    command: {
      group: 'watch',
      long: 'usage',
      help: 'show CPU time, peak memory and I/O of processes that end',
    },
  },
  /** Most ancestors that events list: the parent, the parent of that and so on. Default 0: none. */
  ancestors: {
    type: 'count',
    default: 0,
    min: 0,
    max: 256,
    isRecorded: true,
    notWithBypass: true,
    command: {
      group: 'watch',
      long: 'ancestors',
      argument: 'N',
      withoutArgument: '16',
      help: 'list up to N ancestors of processes in JSON and ECS (16 without a number)',
    },
  },
  /** Begin with one event per existing process. Default false. */
  snapshot: {
    type: 'flag',
    default: false,
    isRecorded: true,
    notWithBypass: true,
    command: [
      {
        group: 'watch',
        long: 'snapshot',
        help: 'begin with the processes that already exist; only text does not do so without it',
        conflicts: ['no-snapshot'],
      },
      {
        group: 'watch',
        long: 'no-snapshot',
        short: 's',
        help: 'do not begin with the processes that already exist',
        value: false,
        // There are none then.
        notWithBypass: false,
      },
    ],
  },
  /** How long an ended process can still be looked up; as long as records are held in any case. Default 4,000. */
  graceMs: {
    type: 'ms',
    default: 4000,
    min: 0,
    max: 86_400_000,
    isRecorded: true,
    notWithBypass: true,
    command: {
      group: 'buffer',
      long: 'grace',
      after: 'hold',
      argument: 'TIME',
      help: 'remember processes for this long after their end',
    },
  },
  /** Most processes in the table; beyond it the ones that ended longest ago go first. Default 65,536. */
  maxProcesses: {
    type: 'count',
    default: 65_536,
    min: 16,
    max: 10_000_000,
    isRecorded: true,
    command: {
      group: 'buffer',
      long: 'max-processes',
      argument: 'N',
      help: 'remember at most this many processes',
    },
    notWithBypass: true,
  },
} as const satisfies OptionSpecs

/** The options of processes with every default filled in. */
export type ProcessSettings = SettingsOf<typeof processOptions>
