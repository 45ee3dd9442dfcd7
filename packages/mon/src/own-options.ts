/** The options that the command has beside those of the library. */

import { metricsAddress } from './metrics/address.js'
import type { Option } from './option.js'
import { DEFAULT_KEEP, MAX_KEEP } from './rotation.js'
import { ageMs, COLOUR_WORDS, diskSize, durationMs, fileName, oneOf, wholeNumber } from './values.js'

/** Options about the form of events: they contradict modes that write none. */
export const OF_FORMATS = ['text', 'dump', 'json', 'ecs', 'ecs-form', 'tree', 'colour', 'max-line']

/** Options about which events are shown. */
export const watchOptions: readonly Option[] = [
  {
    long: 'entry-leader',
    short: 'e',
    help: 'accepted as by the C quark-mon: entry leaders are always found',
    // Nothing is to be switched on.
    set: () => undefined,
  },
  {
    long: 'count',
    argument: 'N',
    help: 'end after this many events',
    set: (settings, value) => void (settings.count = wholeNumber(value, 1)),
  },
  {
    long: 'duration',
    argument: 'TIME',
    help: 'end after this time, in seconds or with a unit, such as 500ms, 5m or 1h',
    set: (settings, value) => void (settings.durationMs = durationMs(value)),
  },
]

/** Options about where and how events are written. */
export const outputOptions: readonly Option[] = [
  {
    long: 'text',
    help: 'write a line per event, for people (the default)',
    more: 'On a terminal lines are cut at its width. docs/text.md explains each column and word.',
    conflicts: ['dump', 'json', 'ecs'],
    set: (settings) => void (settings.format = 'text'),
  },
  {
    long: 'tree',
    help: 'indent the commands of children under those of their parents, as they come',
    conflicts: ['dump', 'json', 'ecs'],
    set: (settings) => void (settings.tree = true),
  },
  {
    long: 'dump',
    help: 'write all that is known of an event, in some lines with tags',
    conflicts: ['json', 'ecs'],
    set: (settings) => void (settings.format = 'dump'),
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
    help: 'append events to this file instead of writing them to standard output, which is -',
    more: 'The file is made with mode 600.',
    set: (settings, value) => {
      settings.output = value === '-' ? undefined : fileName(value)
      settings.isToStandardOutput = value === '-'
    },
  },
  {
    long: 'truncate',
    help: 'overwrite the files of -o and --record; else -o appends, and --record takes no file that has something in it',
    set: (settings) => void (settings.truncate = true),
  },
  {
    long: 'rotate-size',
    argument: 'SIZE',
    help: 'begin another file before FILE has more bytes than this: FILE becomes FILE.1, FILE.1 becomes FILE.2',
    more:
      'K, M, G and T mean KiB, MiB, GiB and TiB. No event is split, and one that is larger has a file of its own. ' +
      'All options that begin with --rotate need -o, and what is found in FILE is kept.',
    set: (settings, value) => void (settings.rotation.sizeBytes = diskSize(value)),
  },
  {
    long: 'rotate-age',
    argument: 'TIME',
    help: 'begin another file when FILE was made so long ago, such as 90s, 30m, 12h or 7d; not if it is empty',
    set: (settings, value) => void (settings.rotation.ageMs = ageMs(value)),
  },
  {
    long: 'rotate-keep',
    argument: 'N',
    byDefault: `${DEFAULT_KEEP} files`,
    help: 'how many files are kept beside FILE; the oldest is removed',
    more: `At most ${MAX_KEEP}.`,
    set: (settings, value) => void (settings.rotation.keep = wholeNumber(value, 1, MAX_KEEP)),
  },
  {
    long: 'rotate-total',
    argument: 'SIZE',
    help: 'remove the oldest files before all of them have more bytes than this together',
    more: 'Without --rotate-size, files are as large as lets all that are kept fit in.',
    set: (settings, value) => void (settings.rotation.totalBytes = diskSize(value)),
  },
  {
    long: 'colour',
    argument: 'WHEN',
    byDefault: 'auto',
    words: COLOUR_WORDS,
    help: 'colour text and dump: auto, always or never',
    more: 'With auto, text is coloured on a terminal unless NO_COLOR is set, and elsewhere when FORCE_COLOR is.',
    set: (settings, value) => void (settings.colour = oneOf(value, COLOUR_WORDS)),
  },
  {
    long: 'metrics',
    argument: 'ADDRESS',
    help: 'serve metrics as OpenMetrics at /metrics on a Unix socket, or on a port of this machine, such as 127.0.0.1:9464',
    more: 'ADDRESS is the path of a socket, with a slash in it, or a port of a loopback address. Other addresses are refused.',
    set: (settings, value) => void (settings.metrics = metricsAddress(value)),
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
    help: 'write nothing but events, errors, and what is missing or lost: no counters',
    set: (settings) => void (settings.quiet = true),
  },
  {
    long: 'strict',
    help: 'fail if something is missing or lost: at the start at once, and at the end with status 3',
    more:
      'Without it such a run reports what is missing, also with -q, and ends as any other. Missing are facts that cannot be ' +
      'learnt here; lost are records, processes that found no room, values that were cut out of lines, events that were ' +
      'not written at the end, and the end of a recording.',
    set: (settings) => void (settings.strict = true),
  },
  {
    long: 'verbose',
    short: 'v',
    help: 'list how each fact is learnt; twice: also the stacks of errors',
    conflicts: ['quiet'],
    set: (settings) => void (settings.verbosity += 1),
  },
]

/** Options about the source of events. */
export const sourceOptions: readonly Option[] = [
  {
    long: 'replay',
    argument: 'FILE',
    help: 'replay the recording in this file, or from standard input with -; needs no privileges',
    more:
      'Given several times, the recordings of one machine come one after the other, the one that began first before the ' +
      'others. One that was cut short, as its quark-mon was killed, is replayed as far as it goes.',
    conflicts: ['drop-privileges', 'buffer-graph'],
    set: (settings, value) => void (settings.replay = [...(settings.replay ?? []), fileName(value)]),
  },
  {
    long: 'drop-privileges',
    short: 'D',
    help: 'become nobody in an empty root directory as soon as the kernel is being watched; not with audit',
    set: (settings) => void (settings.dropPrivileges = true),
  },
]

/** Rules, which the library takes as an object. */
export const ruleOptions: readonly Option[] = [
  {
    long: 'ruleset',
    short: 'r',
    argument: 'FILE',
    help: 'let the rules in this file decide which events are shown; - is standard input',
    more: 'See quark-mon rules. They are asked before the other filters.',
    set: (settings, value) => void (settings.ruleset = fileName(value)),
  },
  {
    long: 'rules',
    argument: 'FILE',
    conflicts: ['ruleset'],
    help: 'the same as --ruleset',
    set: (settings, value) => void (settings.ruleset = fileName(value)),
  },
]

/** Options that do something else than show events. */
export const modeOptions: readonly Option[] = [
  {
    long: 'benchmark',
    short: 'M',
    help: 'only count events, and write the counters every second',
    conflicts: [...OF_FORMATS, 'snapshot', 'output', 'quiet', 'summary'],
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
    conflicts: [
      ...OF_FORMATS,
      'snapshot',
      'output',
      'count',
      'summary',
      'benchmark',
      'process-graph',
      'hold',
      'max-buffer',
    ],
    set: (settings, value) => {
      settings.bufferGraph = wholeNumber(value, 1, 2_000_000)
      settings.quark.snapshot = false
    },
  },
]

/** Options that every command has. */
export const lastOptions: readonly Option[] = [
  { long: 'version', short: 'V', help: 'write the version and end', set: () => {} },
  { long: 'help', short: 'h', help: 'write this text and end', set: () => {} },
]
