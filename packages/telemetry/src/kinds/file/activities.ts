/** What changes of files are in a report about a command. */

import type { Activity, ActivityType } from '../../event/activity-spec.js'
import type { FileAction, FileEvent, FileType } from './events.js'

const CREATES: ReadonlySet<FileAction> = new Set(['create', 'mkdir', 'mknod', 'symlink', 'link'])
const REMOVES: ReadonlySet<FileAction> = new Set(['remove', 'rmdir'])
/** It was open for writing, and nothing says that it was written. */
const NOTHING: ReadonlySet<FileAction> = new Set(['close'])

/** What is written to devices and pipes is not kept. */
const KEPT: ReadonlySet<FileType | undefined> = new Set(['file', 'dir', 'symlink', undefined])

export function fileActivities({ actions, path, oldPath, type }: FileEvent): Activity[] {
  if (path === undefined || (!KEPT.has(type) && !actions.includes('mknod'))) return []
  const what = wordOf(actions)
  if (what === undefined) return []
  if (!actions.includes('move') || oldPath === undefined) return [{ what, target: path }]
  return [
    { what: 'removed', target: oldPath },
    { what: 'created', target: path, detail: oldPath },
  ]
}

/** What is left of it counts most; a file that came and went is not there. */
function wordOf(actions: readonly FileAction[]): ActivityType | undefined {
  const isCreated = actions.some((action) => CREATES.has(action))
  const isRemoved = actions.some((action) => REMOVES.has(action))
  if (isRemoved) return isCreated ? undefined : 'removed'
  if (isCreated) return 'created'
  return actions.every((action) => NOTHING.has(action)) ? undefined : 'changed'
}
