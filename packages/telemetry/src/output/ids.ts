import type { Ids } from '../event/event.js'
import { num } from './fragments.js'

/** The ids that are known, named alike in all JSON. */
export function idsOf(ids: { readonly [name in keyof Ids]?: number | undefined }): string {
  return (
    num('sid', ids.sid) +
    num('uid', ids.uid) +
    num('euid', ids.euid) +
    num('suid', ids.suid) +
    num('gid', ids.gid) +
    num('egid', ids.egid) +
    num('sgid', ids.sgid)
  )
}
