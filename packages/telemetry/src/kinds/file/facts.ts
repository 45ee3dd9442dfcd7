/** Facts about files, and their rungs. */

import type { Probe } from 'quark-ebpf/probe'
import type { Fact } from '../../facts/fact.js'
import type { EbpfRung, Lack, SourceRung } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import { type Choice, choiceOf } from './choice.js'
import { FileWatch } from './notices/watch.js'
import type { FileSettings } from './options.js'
import { seenEndLayout, seenLayout } from './records.js'
import { callProbes } from './rungs/calls.js'
import { Watched } from './rungs/common.js'
import { aclFunctions, attributeFunctions, truncateFunctions } from './rungs/attribute-functions.js'
import { type ChangeFunction, contentFunctions, writersMap } from './rungs/content-functions.js'
import { type FunctionHook, mountMap, mountProbes } from './rungs/hooks.js'
import { nameFunctions } from './rungs/name-functions.js'
import { writtenMap } from './rungs/writes.js'

/** What changes of files are learnt by, beside fanotify: fact by group. Functions of the kernel are the best way. */
const FACTS = { names: 'fileNames', content: 'fileContent', attributes: 'fileAttributes' } as const

type Group = keyof typeof FACTS
const GROUPS = Object.keys(FACTS) as Group[]

const OTHER_CALLS = 'what io_uring and 32-bit programs do is not seen by system calls: fanotify alone sees it'

const REUSED =
  'which file a call was about is read when it returns: a thread that gives its descriptor to another file meanwhile makes it look as if that was meant'

/** What system calls do not say. */
const CALLS_MISS: Readonly<Record<Group, readonly Lack[]>> = {
  names: [
    { what: 'fileNames.other calls', reason: OTHER_CALLS },
    {
      what: 'fileNames.verified',
      reason:
        'removing, moving and linking are known by the names that processes give, which they can forge; names that fanotify does not confirm are marked as unverified',
    },
  ],
  content: [
    { what: 'fileContent.other calls', reason: OTHER_CALLS },
    {
      what: 'fileContent.mmap',
      reason: 'what is written to memory that a file is mapped to is no system call',
    },
    { what: 'fileContent.descriptors', reason: REUSED },
  ],
  attributes: [{ what: 'fileAttributes.other calls', reason: OTHER_CALLS }],
}

/** What is not there cannot be compared by its inode. */
function absentMiss({ selection }: Choice, group: Group): readonly Lack[] {
  const absent = selection.isAll ? [] : selection.absent()
  if (absent.length === 0) return []
  return [
    {
      what: `${FACTS[group]}.absent`,
      reason: `of ${absent.join(', ')} nothing is there, or another machine or a program serves it: paths are compared, once something is made there`,
    },
  ]
}

/** What programs do not find that compare directories by their inodes: nothing, if all is wanted. */
function mountsMiss({ selection }: Choice, group: Group): readonly Lack[] {
  if (selection.isAll) return []
  return [
    {
      what: `${FACTS[group]}.mounts`,
      reason:
        'what is done in a directory that is mounted (mount --bind) below a watched one after the start is not seen',
    },
  ]
}

/** What functions of the kernel do not say. */
const FUNCTIONS_MISS: Readonly<Record<Group, readonly Lack[]>> = {
  names: [
    {
      what: 'fileNames.remote',
      reason: 'what other machines do on network file systems, and servers of FUSE below theirs, is not seen',
    },
  ],
  content: [
    {
      what: 'fileContent.bytes',
      reason:
        'bytes that io_uring, 32-bit programs and mapped memory write are not counted: events of such files have no number',
    },
    {
      what: 'fileContent.ends',
      reason:
        'where only some processes are followed, it is not said of files that these have open when they end that they are closed, nor how much was written',
    },
    {
      what: 'fileContent.times',
      reason:
        'what io_uring writes to file systems that set the times of files by themselves (btrfs, network file systems), and what is written to mapped memory of files on overlayfs, is not seen',
    },
    { what: 'fileContent.descriptors', reason: REUSED },
  ],
  attributes: [],
}

const CROWDS =
  'of the threads that are in one function at once kretprobes see as many as the kernel reserves for: twice the CPUs, and at least ten'

/** What kretprobes miss of any function. */
const KPROBES_MISS: Readonly<Record<Group, readonly Lack[]>> = {
  names: [{ what: 'fileNames.crowds', reason: CROWDS }],
  content: [{ what: 'fileContent.crowds', reason: CROWDS }],
  attributes: [{ what: 'fileAttributes.crowds', reason: CROWDS }],
}

const NOTICES_MISS: readonly Lack[] = [
  {
    what: 'fileNotices.mmap',
    reason: 'fanotify does not report what is written to memory that a file is mapped to',
  },
  {
    what: 'fileNotices.fileSystems',
    reason:
      'file systems without handles (overlayfs, FUSE, most network file systems), subvolumes of btrfs, mounts of other namespaces and those that others hide are not watched: of them only system calls are known',
  },
]

const MOVED_MISS: Lack = {
  what: 'fileNotices.moved',
  reason:
    'content and attributes of what is in a directory are known by system calls alone while this is moved into what is watched',
}

/** Programs first: what they see is to be known when fanotify reports it. */
export function fileFacts({ settings }: Surroundings<FileSettings>): Fact[] {
  if (settings.files === false) return []
  const choice = choiceOf(settings)
  const wanted = GROUPS.filter((group) => isWanted(choice, group))
  const watched = new Watched(choice)
  const calls = callProbes(watched, choice)
  const functions = functionRungs(watched, choice)
  const facts = wanted.map((group): Fact => {
    // Calls that give names are compared by them.
    const lacks = group === 'names' ? [] : mountsMiss(choice, group)
    const rung: EbpfRung = {
      by: 'ebpf',
      probes: calls[group],
      lacks: [...CALLS_MISS[group], ...lacks, ...absentMiss(choice, group)],
    }
    return { name: FACTS[group], required: false, rungs: [...functions[group], rung] }
  })
  const notices: Fact = {
    name: 'fileNotices',
    required: false,
    besides: wanted.map((group) => FACTS[group]),
    rungs: [noticesRung(choice)],
  }
  return [...facts, notices]
}

function functionRungs(watched: Watched, choice: Choice): Readonly<Record<Group, readonly EbpfRung[]>> {
  const mounts = mountMap()
  const maps = { written: writtenMap('open file'), writers: writersMap() }
  // The best set of probes first. One that a kernel does not have leaves its maps to the next, which is why they share.
  const rungs = (group: Group, setsOf: (by: FunctionHook) => Probe[][]): EbpfRung[] =>
    (['fentry', 'kprobe'] as const).flatMap((by) =>
      setsOf(by).map((probes) => ({
        by: 'ebpf',
        probes: [...mountProbes(by, mounts), ...probes],
        lacks: [
          ...FUNCTIONS_MISS[group],
          ...mountsMiss(choice, group),
          ...absentMiss(choice, group),
          ...(by === 'fentry' ? [] : KPROBES_MISS[group]),
        ],
        isWhole: true,
      })),
    )
  return {
    names: rungs('names', (by) => nameFunctions(by, mounts, choice.hasContent ? maps : undefined, watched)),
    content: rungs('content', (by) => {
      const truncate = truncateFunctions(by, mounts, watched)
      const sets: ChangeFunction[][] = [
        ['file_modified', 'file_update_time', 'kiocb_modified'],
        ['file_modified', 'file_update_time'],
      ]
      return sets.map((functions) => [...contentFunctions(by, functions, maps, watched), ...truncate])
    }),
    attributes: rungs('attributes', (by) => {
      const attributes = attributeFunctions(by, mounts, watched)
      return [[...attributes, ...aclFunctions(by, mounts, watched)], attributes]
    }),
  }
}

function isWanted({ hasNames, hasContent, hasAttributes }: Choice, group: Group): boolean {
  return { names: hasNames, content: hasContent, attributes: hasAttributes }[group]
}

function noticesRung(choice: Choice): SourceRung {
  return {
    by: 'source',
    hook: 'fanotify/file systems',
    flavor: 'handles',
    fills: [seenLayout, seenEndLayout],
    lacks: choice.selection.isAll ? NOTICES_MISS : [...NOTICES_MISS, MOVED_MISS],
    open: (context) => new FileWatch(context, choice),
  }
}
