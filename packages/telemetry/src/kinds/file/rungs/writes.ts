/** Programs at the calls that write: which files processes have written to, and how much, until they close them. */

import {
  add,
  and,
  callArgument,
  type CallRegisters,
  constant,
  countIf,
  firstNonZero,
  ifThen,
  isCall,
  map,
  type MapEffect,
  narrowed,
  ne,
  not,
  or,
  type Probe,
  probe,
  type Scalar,
  shiftLeft,
  store,
  sysExit,
  u32,
  u64,
} from 'quark-ebpf/probe'
import type { Inode, OpenFile } from '../kernel-types.js'
import { DID_MODIFY, doneLayout } from '../records.js'
import { current, doneFill, fileOf, HALF, isDone, isRegular, isWritable, type Watched } from './common.js'

/** Files that are written to at the same time. */
export const MAX_WRITTEN = 16_384

const WRITES = ['write', 'pwrite64', 'writev', 'pwritev', 'pwritev2', 'sendfile'] as const
const COPIES = ['copy_file_range', 'splice'] as const
export const WRITING_CALLS = [...WRITES, ...COPIES] as const

/**
 * The files that processes have written to, until these are closed.
 *
 * @param by what they are known by: both may be needed, where one group of facts is learnt otherwise than another
 */
export function writtenMap(by: 'descriptor' | 'open file') {
  return map({
    name: by === 'descriptor' ? 'quark_written' : 'quark_fwritten',
    type: 'lruHash',
    key: { at: u64, pid: u32 },
    /**
     * `isIgnored` of what is not watched: it is not looked at again. `isPartial` if something was written that nobody
     * has counted.
     */
    value: {
      mark: u64,
      inode: u64,
      bytes: u64,
      device: u32,
      generation: u32,
      isIgnored: u32,
      isPartial: u32,
    },
    maxEntries: MAX_WRITTEN,
  })
}

export type WrittenMap = ReturnType<typeof writtenMap>

/** Stands for a file in comparisons: each field that is looked up costs another look-up. Never 0. */
export function markOf(inode: Inode): Scalar {
  const { i_ino, i_generation, i_sb } = inode
  return or(shiftLeft(add(add(i_ino, shiftLeft(i_generation, 32)), shiftLeft(i_sb.s_dev, 20)), 1), 1)
}

/** What stands for an open file in the map. */
export type WrittenKey = (file: OpenFile, descriptor: Scalar) => Scalar

/** Notes that a process has written to a file: its first writes are no records then. */
export function noteWritten(
  map: WrittenMap,
  key: { readonly at: Scalar; readonly pid: Scalar },
  inode: Inode,
  bytes: Scalar | number,
  isIgnored: Scalar | number = 0,
  isPartial = 0,
): MapEffect {
  return store(map, key, {
    mark: markOf(inode),
    inode: inode.i_ino,
    device: inode.i_sb.s_dev,
    generation: inode.i_generation,
    bytes,
    isIgnored,
    isPartial,
  })
}

/** The file that a call wrote to, and its descriptor. */
export function writtenFile(call: CallRegisters): { readonly file: OpenFile; readonly descriptor: Scalar } {
  const descriptor = and(
    firstNonZero(
      ifThen(isCall(call, 'copy_file_range'), callArgument(call, 2)),
      ifThen(isCall(call, 'splice'), callArgument(call, 2)),
      callArgument(call, 0),
    ),
    HALF,
  )
  return { file: fileOf(descriptor), descriptor }
}

/**
 * Later writes are only counted, with one look into the map: nothing else is read of the file than what tells that it is the
 * same.
 *
 * @param also what else the first write does
 */
export function writeProbes(
  map: WrittenMap,
  keyOf: WrittenKey,
  watched: Watched,
  also: (file: OpenFile) => readonly MapEffect[] = () => [],
): Probe[] {
  let isWatched = constant(1)
  const write = probe(
    { name: 'quark_fwrite', record: doneLayout, hook: sysExit(WRITING_CALLS) },
    (call, result) => {
      const { file, descriptor } = writtenFile(call)
      const { f_inode: inode } = file
      const key = { at: keyOf(file, descriptor), pid: current().tgid }
      isWatched = watched.file(file)
      return {
        when: and(isDone(result), ne(result, 0), watched.process(), isWritable(file), isRegular(inode)),
        effects: [
          countIf(map, key, { mark: markOf(inode) }, { bytes: result }),
          noteWritten(map, key, inode, result, not(isWatched)),
          ...also(file),
        ],
        fill: doneFill(file, DID_MODIFY, watched),
      }
    },
  )
  return [narrowed(write, () => isWatched)]
}
