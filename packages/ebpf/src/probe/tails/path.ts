/** Paths of files. */

import { nodeOf, type Scalar } from '../expr.js'
import { Unresolved } from '../resolve.js'
import { TAIL_DELETED, TAIL_PSEUDO, TAIL_TRUNCATED } from './descriptor.js'
import { type TailFrame, unreadable } from './frame.js'
import { tooLong } from './fetch.js'
import { planPath } from './path-fetch.js'
import { type PathOffsets, pathOffsets } from './path-offsets.js'
import { emitPath, emitPathCallback, PATH_SOURCE, PATH_TAIL_BYTES } from './path-walk.js'
import {
  bytesOf,
  cut,
  type EncodedTail,
  type TailCodec,
  type TailSource,
  type TailType,
  tailType,
  type TailWriter,
} from './tail.js'

/** What a path field decodes to. */
export interface DecodedPath {
  /** From the process's root; `memfd:name` and the like for files that have no place. */
  readonly path: string
  /** Path of the process's root directory in its mount namespace; absent when the file lies outside it. */
  readonly root?: string
  readonly truncated: boolean
  readonly deleted: boolean
}

/** A path to be encoded; bytes keep what is not UTF-8. */
export interface EncodablePath {
  readonly path: string | Uint8Array
  readonly root?: string | Uint8Array | undefined
  readonly truncated?: boolean
  readonly deleted?: boolean
}

const codec: TailCodec = {
  decode: (descriptor, bytes) => decodePath(descriptor, bytes.toString('latin1')),
  encode: (value, maxBytes) => encodePath(value as EncodablePath, maxBytes),
}

/** A path, up to the root of its mount namespace: components from the leaf upwards, each NUL-terminated. */
export const pathTail: TailType<
  DecodedPath | undefined,
  EncodablePath | undefined,
  TailSource<'path'>
> = tailType({
  kind: 'path',
  maxBytes: PATH_TAIL_BYTES,
  codec,
})

/** The members of `struct path` that a walk needs. */
export interface PathStruct {
  readonly mnt: Scalar
  readonly dentry: Scalar
}

/**
 * The path of a `struct path`, walked to the root of its mount namespace with the place of `root` marked by an empty
 * component.
 */
export function path(file: PathStruct, root: PathStruct): TailSource<'path'> {
  return {
    kind: PATH_SOURCE,
    fills: 'path',
    maxBytes: undefined,
    inputs: [nodeOf(file.dentry), nodeOf(file.mnt), nodeOf(root.dentry), nodeOf(root.mnt)],
    writer,
  }
}

const writer: TailWriter = {
  refusal(frame) {
    const offsets = pathOffsets(frame.btf)
    return offsets instanceof Unresolved ? offsets.reason : unreadable(frame)
  },
  emit(frame, place, [dentry = 0, mount = 0, rootDentry = 0, rootMount = 0]) {
    emitPath(frame, place, { dentry, mount, rootDentry, rootMount }, offsetsOf(frame))
  },
  fetch(fetcher, inputs) {
    const offsets = pathOffsets(fetcher.btf)
    if (offsets instanceof Unresolved) return offsets
    const texts: string[] = []
    for (const input of inputs) {
      const place = fetcher.place(input)
      if (place instanceof Unresolved) return place
      texts.push(place)
    }
    const [dentry, mount, rootDentry, rootMount] = texts as [string, string, string, string]
    const walk = planPath(fetcher.args, { dentry, mount, rootDentry, rootMount }, offsets)
    if (walk === undefined) return tooLong
    return (values) => {
      const found = walk(values)
      if (found === undefined) return undefined
      return { value: found satisfies EncodablePath, isCut: found.truncated }
    }
  },
  emitFunctions(frame) {
    // The verifier refuses a function that nothing calls.
    if (frame.loop === 'helper') emitPathCallback(frame, offsetsOf(frame))
  },
}

/** What `refusal` has found. */
function offsetsOf({ btf }: TailFrame): PathOffsets {
  return pathOffsets(btf) as PathOffsets
}

/**
 * Decodes a path tail: reverses its components.
 *
 * @param components latin1 text of the tail: leaf first, each NUL-terminated, an empty one at the root
 */
export function decodePath(descriptor: number, components: string): DecodedPath {
  const names = components.split('\0')
  names.pop()
  const mark = names.indexOf('')
  const below = mark === -1 ? names : names.slice(0, mark)
  const above = mark === -1 ? undefined : names.slice(mark + 1).filter((name) => name !== '')
  const truncated = (descriptor & TAIL_TRUNCATED) !== 0
  const pseudo = (descriptor & TAIL_PSEUDO) !== 0
  return {
    path: utf8(pseudo ? (names[0] ?? '') : joined(below)),
    ...(above === undefined || truncated || pseudo ? {} : { root: utf8(joined(above)) }),
    truncated,
    deleted: (descriptor & TAIL_DELETED) !== 0,
  }
}

function joined(names: string[]): string {
  return `/${names.toReversed().join('/')}`
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8')
}

function encodePath({ path, root, truncated, deleted }: EncodablePath, maxBytes: number): EncodedTail {
  const flags = (truncated === true ? TAIL_TRUNCATED : 0) | (deleted === true ? TAIL_DELETED : 0)
  const text = bytesOf(path).toString('latin1')
  if (!text.startsWith('/')) {
    return { bytes: Buffer.from(`${text}\0`, 'latin1'), flags: flags | TAIL_PSEUDO }
  }
  const above = root === undefined ? '' : `\0${upwards(bytesOf(root).toString('latin1'))}`
  const { bytes, flags: cutFlags } = cut(Buffer.from(upwards(text) + above, 'latin1'), maxBytes)
  return { bytes, flags: flags | cutFlags }
}

/** The components of a path from the leaf upwards, each with its terminator. */
function upwards(path: string): string {
  const names = path.split('/').filter((name) => name !== '')
  return names
    .toReversed()
    .map((name) => `${name}\0`)
    .join('')
}
