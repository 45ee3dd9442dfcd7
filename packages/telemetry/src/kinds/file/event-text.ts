/** How events of files are lines of text. */

import type { EventTextSpec } from '../../event/spec.js'
import { processColumns } from '../../process/text.js'
import type { FileAction, FileEvent } from './events.js'

const CREATIONS: readonly FileAction[] = ['create', 'mkdir', 'mknod', 'symlink', 'link']
const REMOVALS: readonly FileAction[] = ['remove', 'rmdir']
const MOVES: readonly FileAction[] = ['move', 'exchange']
const CONTENT: readonly FileAction[] = ['truncate', 'modify']

function wordOf({ actions }: Pick<FileEvent, 'actions'>): string {
  const has = (some: readonly FileAction[]): boolean => actions.some((action) => some.includes(action))
  if (has(REMOVALS)) return 'fdel'
  if (has(CREATIONS)) return 'fnew'
  if (has(MOVES)) return 'fmov'
  if (has(CONTENT)) return 'fmod'
  return actions.length === 1 && actions[0] === 'close' ? 'fcls' : 'fatt'
}

/** The name of the process, and the file. */
function sentenceOf({ process, path, oldPath, target, actions, inode, device }: FileEvent): string {
  const file = path ?? (inode === undefined ? '?' : `inode ${inode} of ${device ?? '?'}`)
  const arrow = actions.includes('exchange') ? '<->' : '->'
  const both =
    oldPath === undefined
      ? target === undefined
        ? file
        : `${file} -> ${target}`
      : actions.includes('link')
        ? `${file} = ${oldPath}`
        : `${oldPath} ${arrow} ${file}`
  return process?.comm === undefined ? both : `${process.comm} ${both}`
}

const { uid, parentPid, parentName } = processColumns

export const fileText: EventTextSpec<FileEvent> = {
  uid,
  parentPid,
  parentName,
  sentence: sentenceOf,
  word: wordOf,
  words: {
    fnew: { doc: 'a process created a file, a directory or a link (`--file`)', tone: 'began' },
    fmod: { doc: 'a process changed what is in a file', tone: 'changed' },
    fatt: { doc: 'a process changed the mode, owner, times or attributes of a file', tone: 'changed' },
    fmov: { doc: 'a process moved a file', tone: 'changed' },
    fdel: { doc: 'a process removed a file, perhaps one that it had created or changed', tone: 'quiet' },
    fcls: { doc: 'a process closed a file that it had written to before', tone: 'quiet' },
  },
  notes: [
    {
      label: '',
      type: 'string',
      value: ({ actions }) => actions.join('+'),
      doc: 'what the process did with the file',
      example: 'create+modify+close',
    },
    {
      label: 'wrote ',
      type: 'size',
      value: ({ writtenBytes }) => writtenBytes,
      doc: 'bytes that were written until the file was closed',
      example: 'wrote 517B',
    },
    {
      label: 'unverified',
      type: 'flag',
      value: ({ unverified }) => unverified,
      tone: 'changed',
      doc: 'only the name that the process gave is known',
      example: 'unverified',
    },
    {
      label: 'deleted',
      type: 'flag',
      value: ({ deleted }) => deleted,
      doc: 'the file had no name any more',
      example: 'deleted',
    },
  ],
}
