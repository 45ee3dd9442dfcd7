import { BACKEND_NAMES, DEFAULT_BACKENDS } from 'quark-telemetry'
import type { Settings } from './settings.js'
import { byteCount, fileName, oneOf, powerOfTwo, secondsAsMs, someOf, wholeNumber } from './values.js'

/** One option: the parser, the help text and the manual page all read it from here. */
export interface Option<S = Settings> {
  /** Name after two dashes. */
  readonly long: string
  /** Letter after one dash. */
  readonly short?: string
  /** Name of the argument; an option without one is a switch. */
  readonly argument?: string
  /** Value of an option that is given without its argument, which then needs `=` when it is given. */
  readonly withoutArgument?: string
  /** What holds when the option is not given, in words. */
  readonly byDefault?: string
  /** What it does: a sentence without a period. */
  readonly help: string
  /** More sentences, for the manual page. */
  readonly more?: string
  /** Long names of options that it contradicts; naming a pair once is enough. */
  readonly conflicts?: readonly string[]
  /** Writes it into the settings; `value` is empty for a switch. */
  readonly set: (settings: S, value: string) => void
}

/** Options under one heading. */
export interface OptionGroup<S = Settings> {
  readonly title: string
  readonly options: readonly Option<S>[]
}

/** An option that scripts written for other versions may give, and that is refused by name. */
export interface MissingOption {
  readonly long: string
  readonly short: string
  readonly argument?: string
  /** What is missing, as in "… is not supported". */
  readonly feature: string
}

const KIB = 1024
const MIB = 1024 ** 2
/** Groups of options that others contradict. */
const OF_A_LIVE_KERNEL = [
  'backend',
  'ebpf',
  'kprobe',
  'record',
  'btf',
  'ring-size',
  'poll',
  'drop-privileges',
  'bypass',
]
const OF_RECORDS = ['max-argv', 'env', 'usage', 'failed-execs', 'threads', 'kernel-threads']
const OF_FORMATS = ['text', 'json', 'ecs', 'colour']
const OF_BUFFERS = ['min-agg', 'no-aggregation', 'hold', 'grace', 'max-length', 'max-buffer', 'max-processes']

const events: OptionGroup = {
  title: 'What to watch',
  options: [
    {
      long: 'threads',
      short: 't',
      help: 'also show threads that begin and end',
      set: ({ quark }) => void (quark.threads = true),
    },
    {
      long: 'kernel-threads',
      help: 'also show kernel threads',
      set: ({ quark }) => void (quark.kernelThreads = true),
    },
    {
      long: 'failed-execs',
      help: 'also show execs that failed, with their error',
      more: 'This makes every system call of the machine a little slower.',
      set: ({ quark }) => void (quark.failedExecs = true),
    },
    {
      long: 'env',
      argument: 'BYTES',
      withoutArgument: '32K',
      byDefault: 'not captured',
      help: 'capture the environment of processes, up to this size (32K without a size)',
      set: ({ quark }, value) => void (quark.maxEnvBytes = byteCount(value, 0, 4 * MIB)),
    },
    {
      long: 'max-argv',
      argument: 'BYTES',
      byDefault: '128K',
      help: 'cut the arguments of a process at this size',
      set: ({ quark }, value) => void (quark.maxArgvBytes = byteCount(value, 0, 4 * MIB)),
    },
    {
      long: 'usage',
      help: 'show CPU time, peak memory and I/O of processes that end',
      set: ({ quark }) => void (quark.usage = true),
    },
    {
      long: 'no-snapshot',
      short: 's',
      help: 'do not begin with the processes that already exist',
      set: ({ quark }) => void (quark.snapshot = false),
    },
    {
      long: 'ppid',
      short: 'P',
      argument: 'PID',
      help: 'show only processes whose parent is this one',
      more: 'Events without a known parent are shown too.',
      set: (settings, value) => void (settings.ppid = wholeNumber(value, 0, 0x7fffffff)),
    },
    {
      long: 'count',
      argument: 'N',
      help: 'end after this many events',
      set: (settings, value) => void (settings.count = wholeNumber(value, 1)),
    },
    {
      long: 'duration',
      argument: 'SECONDS',
      help: 'end after this time',
      set: (settings, value) => void (settings.durationMs = secondsAsMs(value)),
    },
  ],
}

const output: OptionGroup = {
  title: 'Output',
  options: [
    {
      long: 'text',
      help: 'write events for people (the default)',
      conflicts: ['json', 'ecs'],
      set: (settings) => void (settings.format = 'text'),
    },
    {
      long: 'json',
      short: 'j',
      help: 'write one JSON object per line, with every field',
      conflicts: ['ecs'],
      set: (settings) => void (settings.format = 'json'),
    },
    {
      long: 'ecs',
      short: 'E',
      help: 'write one JSON object per line, with the names of the Elastic Common Schema',
      set: (settings) => void (settings.format = 'ecs'),
    },
    {
      long: 'output',
      short: 'o',
      argument: 'FILE',
      help: 'write events to this file instead of standard output',
      set: (settings, value) => void (settings.output = fileName(value)),
    },
    {
      long: 'colour',
      argument: 'WHEN',
      byDefault: 'auto',
      help: 'colour the text: auto, always or never',
      more: 'With auto, text is coloured on a terminal unless NO_COLOR is set, and elsewhere when FORCE_COLOR is.',
      set: (settings, value) => void (settings.colour = oneOf(value, ['auto', 'always', 'never'])),
    },
    {
      long: 'process-graph',
      short: 'C',
      argument: 'FILE',
      help: 'at the end, write the process table to this file, as a graph for dot(1)',
      set: (settings, value) => void (settings.processGraph = fileName(value)),
    },
    {
      long: 'quiet',
      short: 'q',
      help: 'write nothing but events and errors: no notes and no counters',
      set: (settings) => void (settings.quiet = true),
    },
    {
      long: 'verbose',
      short: 'v',
      help: 'say how each fact is learnt; twice: also where errors come from',
      conflicts: ['quiet'],
      set: (settings) => void (settings.verbosity += 1),
    },
  ],
}

const buffering: OptionGroup = {
  title: 'Order and aggregation',
  options: [
    {
      long: 'min-agg',
      short: 'g',
      help: 'join as few records as possible into one event',
      conflicts: ['no-aggregation'],
      set: ({ quark }) => void (quark.aggregation = 'minimal'),
    },
    {
      long: 'no-aggregation',
      help: 'make one event of every record',
      set: ({ quark }) => void (quark.aggregation = 'none'),
    },
    {
      long: 'hold',
      argument: 'MS',
      byDefault: '1000',
      help: 'hold records for this long so that later ones can join them',
      more: 'The time gets shorter as the buffer fills.',
      set: ({ quark }, value) => void (quark.holdMs = wholeNumber(value, 0, 3_600_000)),
    },
    {
      long: 'grace',
      argument: 'MS',
      byDefault: '4000',
      help: 'remember processes for this long after their end',
      set: ({ quark }, value) => void (quark.graceMs = wholeNumber(value, 0, 86_400_000)),
    },
    {
      long: 'max-length',
      short: 'l',
      argument: 'N',
      byDefault: '10000',
      help: 'hold at most this many records',
      set: ({ quark }, value) => void (quark.maxLength = wholeNumber(value, 1, 10_000_000)),
    },
    {
      long: 'max-buffer',
      argument: 'BYTES',
      byDefault: '16M',
      help: 'hold records of at most this size together',
      set: ({ quark }, value) => void (quark.maxBufferBytes = byteCount(value, 64 * KIB, 1024 * MIB)),
    },
    {
      long: 'max-processes',
      argument: 'N',
      byDefault: '65536',
      help: 'remember at most this many processes',
      set: ({ quark }, value) => void (quark.maxProcesses = wholeNumber(value, 16, 10_000_000)),
    },
  ],
}

const source: OptionGroup = {
  title: 'Where events come from',
  options: [
    {
      long: 'backend',
      argument: 'LIST',
      byDefault: DEFAULT_BACKENDS.join(','),
      help: 'use the first of these that works, separated by commas',
      set: ({ quark }, value) => void (quark.backends = someOf(value, BACKEND_NAMES)),
    },
    {
      long: 'ebpf',
      short: 'b',
      help: 'use eBPF only, or with -k these two; the same as --backend=ebpf',
      conflicts: ['backend'],
      set: ({ quark }) => void (quark.backends = [...(quark.backends ?? []), 'ebpf']),
    },
    {
      long: 'kprobe',
      short: 'k',
      help: 'use kprobes without eBPF only, or with -b these two; the same as --backend=kprobe',
      conflicts: ['backend'],
      set: ({ quark }) => void (quark.backends = [...(quark.backends ?? []), 'kprobe']),
    },
    {
      long: 'ring-size',
      argument: 'BYTES',
      byDefault: '2M',
      help: "size of the kernel's buffer, a power of two",
      set: ({ quark }, value) =>
        void (quark.ringSizeBytes = powerOfTwo(byteCount(value, 4 * KIB, 1024 * MIB))),
    },
    {
      long: 'poll',
      argument: 'MS',
      byDefault: '100',
      help: 'look for new records at least this often while there are any',
      set: ({ quark }, value) => void (quark.pollMs = wholeNumber(value, 1, 10_000)),
    },
    {
      long: 'btf',
      argument: 'FILE',
      help: "read the kernel's types from this file",
      more: 'It has to describe the running kernel. Needed only when /sys/kernel/btf/vmlinux does not exist.',
      set: ({ quark }, value) => void (quark.btf = fileName(value)),
    },
    {
      long: 'record',
      argument: 'FILE',
      help: 'also keep what the kernel reports in this file, for --replay',
      set: ({ quark }, value) => void (quark.record = fileName(value)),
    },
    {
      long: 'replay',
      argument: 'FILE',
      help: 'show what was recorded in this file; needs no privileges',
      conflicts: [...OF_A_LIVE_KERNEL, ...OF_RECORDS, 'buffer-graph'],
      set: (settings, value) => void (settings.replay = fileName(value)),
    },
    {
      long: 'drop-privileges',
      short: 'D',
      help: 'become nobody in an empty root directory as soon as the kernel is being watched; not with audit',
      set: (settings) => void (settings.dropPrivileges = true),
    },
  ],
}

const modes: OptionGroup = {
  title: 'Instead of showing events',
  options: [
    {
      long: 'benchmark',
      short: 'M',
      help: 'only count events, and write the counters every second',
      conflicts: [...OF_FORMATS, 'output', 'ppid', 'quiet'],
      set: (settings) => {
        settings.benchmark = true
        settings.quark.snapshot = false
      },
    },
    {
      long: 'buffer-graph',
      short: 'm',
      argument: 'N',
      help: 'hold N records, write quark_by_time.dot and quark_by_pidtime.dot here, and end',
      more: 'N is at most 2000000, and at most what --max-length allows.',
      conflicts: [...OF_FORMATS, 'output', 'ppid', 'count', 'benchmark', 'process-graph', 'hold'],
      set: (settings, value) => {
        settings.bufferGraph = wholeNumber(value, 1, 2_000_000)
        settings.quark.snapshot = false
      },
    },
    {
      long: 'bypass',
      short: 'B',
      help: 'write an asterisk for every record, with no order, aggregation or process table',
      conflicts: [
        ...OF_FORMATS,
        ...OF_BUFFERS,
        'record',
        'process-graph',
        'ppid',
        'no-snapshot',
        'threads',
        'benchmark',
        'buffer-graph',
      ],
      set: ({ quark }) => {
        quark.bypass = true
        quark.snapshot = false
      },
    },
    { long: 'version', short: 'V', help: 'write the version and end', set: () => {} },
    { long: 'help', short: 'h', help: 'write this text and end', set: () => {} },
  ],
}

/** Every option, in the order of the help text and the manual page. */
export const optionGroups: readonly OptionGroup[] = [events, output, buffering, source, modes]

/** Options of the same command in C whose features do not exist here: refused, so that a script notices. */
export const missingOptions: readonly MissingOption[] = [
  { short: 'e', long: 'entry-leader', feature: 'finding how a process entered the system' },
  { short: 'F', long: 'file', feature: 'watching files' },
  { short: 'G', long: 'getpid', feature: 'watching getpid(2)' },
  { short: 'H', long: 'shm', feature: 'watching shared memory' },
  { short: 'K', long: 'kube', argument: 'FILE', feature: 'asking Kubernetes' },
  { short: 'L', long: 'module-load', feature: 'watching kernel modules' },
  { short: 'N', long: 'dns', feature: 'watching DNS' },
  { short: 'n', long: 'nova', feature: 'the NOVA backend' },
  { short: 'r', long: 'ruleset', argument: 'FILE', feature: 'filtering by rules' },
  { short: 'S', long: 'sock-conn', feature: 'watching connections' },
  { short: 'T', long: 'ptrace', feature: 'watching ptrace(2)' },
]

/** All options in one list. */
export const options: readonly Option[] = optionGroups.flatMap((group) => group.options)

/** How an option is named in a message: `--max-length`. */
export function optionName(option: { readonly long: string }): string {
  return `--${option.long}`
}
