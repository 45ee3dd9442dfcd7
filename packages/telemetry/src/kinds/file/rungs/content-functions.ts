/**
 * Content by functions of the kernel: what is written by calls is counted there, and by all else it is known when the kernel
 * sets the time of the last change. An open file is closed when its last descriptor and its last mapping are gone.
 */

import {
  and,
  constant,
  containerOf,
  eq,
  firstNonZero,
  has,
  ifThen,
  increase,
  isInCall,
  lookup,
  map,
  type MapEffect,
  named,
  narrowed,
  ne,
  not,
  or,
  type Probe,
  probe,
  remove,
  store,
  struct,
  u32,
  u64,
} from 'quark-ebpf/probe'
import type { Mount, OpenFile } from '../kernel-types.js'
import { closedLayout, DID_CREATE, DID_MODIFY, doneLayout } from '../records.js'
import { DID_WRITE, spaceProbe } from './calls.js'
import { addressOf, current, doneFill, FMODE_CREATED, isRegular, type Watched } from './common.js'
import { entryOf, type FunctionHook, INTERNAL } from './hooks.js'
import { markOf, MAX_WRITTEN, noteWritten, writeProbes, type WrittenMap, WRITING_CALLS } from './writes.js'

/** Calls whose end says what was done. */
const COUNTED_CALLS = [...WRITING_CALLS, 'fallocate'] as const
/** Nobody has counted them. */
const UNKNOWN_BYTES = 2n ** 64n - 1n
/** A file without a name is opened. */
const O_TMPFILE = 0o20_000_000

/** Open files that were made or written to, by whom last. */
export function writersMap() {
  return map({ name: 'quark_fwriters', type: 'lruHash', key: u64, value: u32, maxEntries: MAX_WRITTEN })
}

/** What is noted of open files. */
export interface ContentMaps {
  readonly written: WrittenMap
  readonly writers: ReturnType<typeof writersMap>
}

function keyOf(file: OpenFile) {
  return { at: addressOf(file), pid: current().tgid }
}

function noteWriter({ writers }: ContentMaps, file: OpenFile): MapEffect {
  return store(writers, addressOf(file), current().tgid)
}

/**
 * A file was made by opening it, whoever opened it: the kernel asks its security modules then, whether or not there are any.
 *
 * @param maps undefined if nothing is to be said of what is written
 */
export function createdProbe(by: FunctionHook, maps: ContentMaps | undefined, watched: Watched): Probe {
  const hook = entryOf(by, 'security_file_open', [named(struct<OpenFile>('file', 'file'))])
  return probe({ name: 'quark_fcreate', hook, record: doneLayout }, (file) => ({
    when: and(
      ne(and(file.f_mode, FMODE_CREATED), 0),
      eq(and(file.f_flags, O_TMPFILE), 0),
      watched.process(),
      watched.file(file),
    ),
    effects:
      maps === undefined
        ? []
        : [noteWritten(maps.written, keyOf(file), file.f_inode, 0), noteWriter(maps, file)],
    fill: doneFill(file, DID_CREATE, watched),
  }))
}

/** Functions that set the time of the last change, and what they get. */
const CHANGES = {
  file_modified: { struct: 'file', argument: 'file', fileOf: (file) => file },
  file_update_time: { struct: 'file', argument: 'file', fileOf: (file) => file },
  /** Since Linux 6.0. */
  kiocb_modified: { struct: 'kiocb', argument: 'iocb', fileOf: ({ ki_filp }) => ki_filp },
} as const satisfies Record<
  string,
  {
    readonly struct: string
    readonly argument: string
    readonly fileOf: (given: OpenFile & Kiocb) => OpenFile
  }
>

interface Kiocb {
  readonly ki_filp: OpenFile
}

export type ChangeFunction = keyof typeof CHANGES

/** A file is written to, by no call that is counted: by io_uring, through mapped memory, by a 32-bit program. */
function otherProbes(by: FunctionHook, target: ChangeFunction, maps: ContentMaps, watched: Watched): Probe[] {
  const { struct: name, argument, fileOf } = CHANGES[target]
  const hook = entryOf(by, target, [named(struct<OpenFile & Kiocb>(name, argument))])
  const { written } = maps
  const suffix = Object.keys(CHANGES).indexOf(target)
  const isOther = (file: OpenFile) => and(not(isInCall(COUNTED_CALLS)), isRegular(file.f_inode))
  const again = probe({ name: `quark_fmods${suffix}`, hook }, (given) => {
    const file = fileOf(given)
    const key = keyOf(file)
    const { mark, isPartial } = lookup(written, key)
    return {
      when: and(isOther(file), eq(mark, markOf(file.f_inode)), eq(isPartial, 0)),
      effects: [increase(written, key, { isPartial: 1 })],
    }
  })
  let isWatched = constant(1)
  const first = probe({ name: `quark_fmod${suffix}`, hook, record: doneLayout }, (given) => {
    const file = fileOf(given)
    const { f_inode: inode, f_path } = file
    const key = keyOf(file)
    isWatched = and(watched.process(), watched.file(file))
    return {
      when: and(
        isOther(file),
        ne(lookup(written, key).mark, markOf(inode)),
        // What overlayfs writes to below it: what it is to those who write has another name.
        ne(containerOf<Mount>('mount', 'mnt', f_path.mnt).mnt_ns, INTERNAL),
      ),
      effects: [noteWritten(written, key, inode, 0, not(isWatched), 1), noteWriter(maps, file)],
      fill: doneFill(file, DID_MODIFY, watched),
    }
  })
  return [again, narrowed(first, () => isWatched)]
}

/** An open file is gone: what was written to it, by the last process that began to. */
function goneProbe(by: FunctionHook, { written, writers }: ContentMaps): Probe {
  const hook = entryOf(by, '__fput', [named(struct<OpenFile>('file', 'file'))])
  return probe({ name: 'quark_fgone', hook, record: closedLayout }, (file) => {
    const pid = lookup(writers, addressOf(file))
    const key = { at: addressOf(file), pid }
    const { inode, device, generation, bytes, isIgnored, isPartial } = lookup(written, key)
    return {
      given: and(ne(pid, 0), has(written, key)),
      finally: [remove(written, key), remove(writers, addressOf(file))],
      when: and(or(ne(bytes, 0), isPartial), eq(isIgnored, 0)),
      fill: {
        pid,
        device,
        inode,
        generation,
        what: DID_WRITE,
        writtenBytes: firstNonZero(ifThen(isPartial, UNKNOWN_BYTES), bytes),
      },
    }
  })
}

/** The probes of content but for truncation. */
export function contentFunctions(
  by: FunctionHook,
  functions: readonly ChangeFunction[],
  maps: ContentMaps,
  watched: Watched,
): Probe[] {
  return [
    goneProbe(by, maps),
    ...writeProbes(
      maps.written,
      (file) => addressOf(file),
      watched,
      (file) => [noteWriter(maps, file)],
    ),
    spaceProbe(watched),
    ...functions.flatMap((target) => otherProbes(by, target, maps, watched)),
  ]
}
