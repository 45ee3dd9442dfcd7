/** The options of every queue, whatever its kinds. */

import { AggregationTable } from '../aggregate/table.js'
import type { OptionsOf, OptionSpecs, SettingsOf } from './spec.js'

/** Names of backends. */
export type BackendName = 'ebpf' | 'kprobe' | 'audit' | 'procConnector'

/** All backend names, the best first. */
export const BACKEND_NAMES: readonly BackendName[] = ['ebpf', 'kprobe', 'audit', 'procConnector']

/**
 * The backends that are tried by default, in this order. Not audit: it changes settings of the whole machine,
 * which is for its owner to decide.
 */
export const DEFAULT_BACKENDS: readonly BackendName[] = ['ebpf', 'kprobe', 'procConnector']

const KIB = 1024
const MIB = 1024 ** 2
const GIB = 1024 ** 3
const PAGE_BYTES = 4 * KIB

export const coreOptions = {
  /** Where records come from, in order of preference. Default: the best that works. */
  backends: {
    type: 'list',
    default: DEFAULT_BACKENDS,
    words: BACKEND_NAMES,
    item: 'backend',
    command: [
      {
        group: 'source',
        long: 'backend',
        argument: 'LIST',
        help: 'use the first of these that works, separated by commas',
      },
      {
        group: 'source',
        long: 'ebpf',
        short: 'b',
        help: 'use eBPF only, or with -k these two; the same as --backend=ebpf',
        conflicts: ['backend'],
        adds: 'ebpf',
      },
      {
        group: 'source',
        long: 'kprobe',
        short: 'k',
        help: 'use kprobes without eBPF only, or with -b these two; the same as --backend=kprobe',
        conflicts: ['backend'],
        adds: 'kprobe',
      },
    ],
  },
  /**
   * Replace secrets in arguments, environments and other texts by `[REDACTED:hash]` before they leave the process: in events,
   * raw records and recordings. Default true.
   */
  redact: {
    type: 'flag',
    default: true,
    isReplayed: true,
    command: {
      group: 'output',
      long: 'no-redact',
      help: 'show passwords, tokens and other secrets as they are',
      more: 'Without it they are replaced by [REDACTED:hash], also in recordings; equal secrets of one run have an equal hash.',
      value: false,
    },
  },
  /**
   * Patterns of more secrets, in the syntax of RE2. Of a pattern with a group, what the group matches is the secret. At most 64 of
   * 1,024 characters. Default: none.
   */
  redactPatterns: {
    type: 'texts',
    max: 64,
    maxChars: 1024,
    item: 'pattern',
    isReplayed: true,
    command: {
      group: 'output',
      long: 'redact-pattern',
      argument: 'REGEX',
      help: 'replace what matches this, too, or its first group; may be given several times',
      more: 'The syntax is that of RE2, whose time grows with the length of the text and no more.',
      conflicts: ['no-redact'],
    },
  },
  /**
   * Also all kinds of events that are off by default, as far as they can be watched here: what cannot is in
   * `capabilities.missing`. Default false.
   */
  all: {
    type: 'flag',
    default: false,
    command: {
      group: 'watch',
      long: 'all',
      help: 'show all kinds of events, as far as they can be watched here',
      more: 'It switches on what the other options of kinds do. What cannot be watched is reported, and is no error.',
    },
  },
  /** Which records may be joined into one event. Default `'default'`. */
  aggregation: {
    type: 'choice',
    default: 'default',
    words: ['default', 'minimal', 'none'],
    or: { class: AggregationTable, noun: 'a table' },
    isRecorded: true,
    notWithBypass: true,
    command: [
      {
        group: 'buffer',
        long: 'min-agg',
        short: 'g',
        help: 'join as few records as possible into one event',
        conflicts: ['no-aggregation'],
        value: 'minimal',
      },
      {
        group: 'buffer',
        long: 'no-aggregation',
        help: 'make one event of every record',
        value: 'none',
      },
    ],
  },
  /** How long a record is held so that others can join it, when the buffer is nearly empty. Default 1,000. */
  holdMs: {
    type: 'ms',
    default: 1000,
    min: 0,
    max: 3_600_000,
    isRecorded: true,
    notWithBypass: true,
    command: {
      group: 'buffer',
      long: 'hold',
      argument: 'TIME',
      help: 'hold records for this long so that later ones can join them',
      more: 'The time gets shorter as the buffer fills.',
    },
  },
  /** Deliver an event as soon as nothing can join it any more, not only after the hold time. Default true. */
  releaseEarly: { type: 'flag', default: true, isRecorded: true, notWithBypass: true },
  /** Most records held back for ordering and aggregation. Default 10,000. */
  maxLength: {
    type: 'count',
    default: 10_000,
    min: 1,
    max: 10_000_000,
    isRecorded: true,
    notWithBypass: true,
    command: {
      group: 'buffer',
      long: 'max-length',
      short: 'l',
      argument: 'N',
      help: 'hold at most this many records',
    },
  },
  /** Most bytes of held records. Default 8 MiB. */
  maxBufferBytes: {
    type: 'bytes',
    default: 8 * MIB,
    min: 64 * KIB,
    max: 1024 * GIB,
    isRecorded: true,
    command: {
      group: 'buffer',
      long: 'max-buffer',
      argument: 'BYTES',
      help: 'hold records of at most this size together',
      max: GIB,
    },
    notWithBypass: true,
  },
  /**
   * Most bytes of the processes that are remembered, ended ones and names of cgroups included. Beyond it the longest
   * strings are cut; if that is not enough, ended processes go, then the oldest. Default 32 MiB.
   */
  maxTableBytes: {
    type: 'bytes',
    default: 32 * MIB,
    min: MIB,
    max: 1024 * GIB,
    isRecorded: true,
    command: {
      group: 'buffer',
      long: 'max-table-bytes',
      argument: 'BYTES',
      help: 'remember processes of at most this size together; beyond it long strings are cut',
      max: 64 * GIB,
    },
    notWithBypass: true,
  },
  /**
   * Size of the kernel's ring; a power of two and a multiple of the page size. Default 4 MiB. On x86-64 each CPU has its
   * own part, of at least 512 KiB, unless all together took more than four times the size.
   */
  ringSizeBytes: {
    type: 'bytes',
    default: 4 * MIB,
    min: PAGE_BYTES,
    max: GIB,
    isPowerOfTwo: true,
    command: {
      group: 'source',
      long: 'ring-size',
      argument: 'BYTES',
      help: "size of the kernel's buffer, a power of two",
    },
  },
  /** Longest time between two polls of the ring while events come, in ms. Default 100. */
  pollMs: {
    type: 'ms',
    default: 100,
    min: 1,
    max: 10_000,
    command: {
      group: 'source',
      long: 'poll',
      argument: 'TIME',
      help: 'poll for new records at least this often while there are any',
    },
  },
  /**
   * Shortest time between two polls of the ring while events come, in ms: so long they gather, unless the ring is half
   * full. It bounds how often the reader runs, and delays events by as much. Default 50; 0 polls as soon as one is due.
   */
  batchMs: {
    type: 'ms',
    default: 50,
    min: 0,
    max: 10_000,
    command: {
      group: 'source',
      long: 'batch',
      argument: 'TIME',
      help: 'poll for new records at most this often, which saves CPU and delays events by as much',
    },
    notWithBypass: true,
  },
  /** BTF file of this kernel, raw or in an ELF file. Default: the running kernel's, or `QUARK_BTF_PATH`. */
  btf: {
    type: 'path',
    environment: 'QUARK_BTF_PATH',
    command: {
      group: 'source',
      long: 'btf',
      argument: 'FILE',
      help: "read the kernel's types from this file",
      more: 'It has to describe the running kernel. Needed only when /sys/kernel/btf/vmlinux does not exist.',
    },
    onlyWith: { backends: ['ebpf', 'kprobe'], reason: 'it uses no types of the kernel' },
  },
  /** File that the records are written to as well, for `Quark.replay`. */
  record: {
    type: 'path',
    notWithBypass: true,
    command: {
      group: 'source',
      long: 'record',
      argument: 'FILE',
      help: 'also write the records to this file, for --replay',
      more: 'With - they are written to standard output, and events only where -o says.',
    },
  },
  /** Overwrite the file of `record`: else one that has something in it is refused. Default false. */
  truncate: { type: 'flag', default: false },
  /** Deliver records as they are, without ordering, table or aggregation. Default false. */
  bypass: {
    type: 'flag',
    default: false,
    command: {
      group: 'mode',
      long: 'bypass',
      short: 'B',
      help: 'write an asterisk for every record, with no order, aggregation or process table',
    },
  },
  /** Ends every wait and iteration when it is aborted. */
  signal: { type: 'instance', of: { class: AbortSignal, noun: 'an AbortSignal' } },
} as const satisfies OptionSpecs

/** The options of every queue, as a caller gives them. */
export type CoreOptions = OptionsOf<typeof coreOptions>

/** The options of every queue, with every default filled in. Those of kinds are there too, known to the kinds alone. */
export type Settings = SettingsOf<typeof coreOptions>
