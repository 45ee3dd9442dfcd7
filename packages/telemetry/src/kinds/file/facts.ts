/** Facts about files, and their rungs. */

import type { Fact } from '../../facts/fact.js'
import type { EbpfRung, Lack, SourceRung } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import { choiceOf } from './choice.js'
import { callProbes } from './kernel.js'
import { FileWatch } from './notices/watch.js'
import type { FileSettings } from './options.js'
import { seenEndLayout, seenLayout } from './records.js'

const CALLS_MISS: readonly Lack[] = [
  {
    what: 'fileCalls.mmap',
    reason: 'what is written to memory that a file is mapped to is no system call',
  },
  {
    what: 'fileCalls.ioUring',
    reason: 'what io_uring does is no system call: fanotify alone sees it',
  },
  {
    what: 'fileCalls.names',
    reason:
      'removing, moving and linking are known by the names that processes give, which they can forge; names that fanotify does not confirm are marked as unverified',
  },
]

const NOTICES_MISS: readonly Lack[] = [
  {
    what: 'fileNotices.mmap',
    reason: 'fanotify does not report what is written to memory that a file is mapped to',
  },
  {
    what: 'fileNotices.fileSystems',
    reason:
      'file systems without handles (overlayfs, FUSE, most network file systems) and mounts of other namespaces are not watched: of them only system calls are known',
  },
]

/** Calls first: what they do is to be known when fanotify reports it. */
export function fileFacts({ settings }: Surroundings<FileSettings>): Fact[] {
  if (settings.files === false) return []
  return [
    { name: 'fileCalls', required: false, rungs: [callsRung(settings)] },
    { name: 'fileNotices', required: false, rungs: [noticesRung(settings)] },
  ]
}

function callsRung(settings: FileSettings): EbpfRung {
  return { by: 'ebpf', probes: callProbes(choiceOf(settings)), lacks: CALLS_MISS }
}

function noticesRung(settings: FileSettings): SourceRung {
  const choice = choiceOf(settings)
  return {
    by: 'source',
    hook: 'fanotify/file systems',
    flavor: 'handles',
    fills: [seenLayout, seenEndLayout],
    lacks: NOTICES_MISS,
    open: (context) => new FileWatch(context, choice),
  }
}
