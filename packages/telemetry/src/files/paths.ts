/** Paths of files as text. */

import type { EcsForm } from '../event/spec.js'
import { CUT_MARK, rootAt, wholePathAt } from '../memory/text.js'

/** PATH_MAX. */
const MAX_PATH_BYTES = 4096

interface OfPath {
  readonly path: string | undefined
}

function nameOf({ path }: OfPath): string | undefined {
  return path === undefined || path === '/' ? undefined : path.slice(path.lastIndexOf('/') + 1)
}

/** The directory of a path; undefined if it has none, or is not known. */
export function directoryOf({ path }: OfPath): string | undefined {
  if (path === undefined || !path.startsWith('/') || path === '/') return undefined
  return path.slice(0, Math.max(1, path.lastIndexOf('/')))
}

/** What follows the last dot of the name, if there is something before it. */
function extensionOf(event: OfPath): string | undefined {
  const name = nameOf(event) ?? ''
  const dot = name.lastIndexOf('.')
  return dot <= 0 || dot === name.length - 1 ? undefined : name.slice(dot + 1)
}

/** Where ECS has the path of a file. */
export const pathEcs: readonly (string | EcsForm<OfPath>)[] = [
  'file.path',
  { path: 'file.name', value: nameOf, doc: 'last part of the path' },
  { path: 'file.directory', value: directoryOf, doc: 'what is before it' },
  { path: 'file.extension', value: extensionOf, doc: 'what follows its last dot' },
]

/** A name as a process gave it, from where relative ones begin; only its text is looked at. */
export function joinedPath(base: string | undefined, name: string): string | undefined {
  if (!name.startsWith('/') && base === undefined) return undefined
  if (base !== undefined && base.startsWith(`${CUT_MARK}/`) && !name.startsWith('/')) {
    const lower = joinedPath(base.slice(CUT_MARK.length), name)
    return lower === undefined ? undefined : CUT_MARK + lower
  }
  const parts: string[] = []
  for (const part of (name.startsWith('/') ? name : `${base}/${name}`).split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}`
}

/** A name as a process gave it: below its root directory, or relative to the directory of a tail. */
export function givenPath(text: string, start: number, descriptor: number, name: string): string | undefined {
  if (!name.startsWith('/')) return joinedPath(wholePathAt(text, start, descriptor), name)
  const root = rootAt(text, start, descriptor)
  const path = joinedPath(undefined, name)
  return root === undefined || root === '/' ? path : `${root}${path}`
}

/** Whether the upper part of a path is not known. */
export function isCut(path: string): boolean {
  return path.startsWith(`${CUT_MARK}/`)
}

/** A path that records have room for, one character a byte: of a longer one the lower part, marked as such. */
export function shortPath(path: string): string {
  if (path.length <= MAX_PATH_BYTES) return path
  const from = path.indexOf('/', path.length - (MAX_PATH_BYTES - CUT_MARK.length))
  return CUT_MARK + path.slice(from === -1 ? path.length : from)
}
