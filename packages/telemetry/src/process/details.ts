/** What is known of places beyond the paths of their cgroups. */

import type { ProcessRecord } from './entry.js'
import type { Place } from './place.js'

/** Looks places up. */
export interface PlaceDetails {
  /**
   * The place of a cgroup that a process is in; undefined if nothing is known beyond its path. The same object as long as
   * nothing changes.
   */
  placeOf(cgroup: string, process: ProcessRecord): Place | undefined
}

/** What events are about and of which nothing is known, for whoever can ask. Whoever sets these must remember what was asked. */
export class Inquiries {
  /** Called for each event of a container of which nothing is known. */
  asked: ((id: string, runtime: string | undefined) => void) | undefined = undefined
  /** Called for events of containers of whose users names are not known. */
  askedUsers: ((asked: object) => void) | undefined = undefined
  /** Called for each exec of a file of which nothing is known. */
  askedFile: ((file: object) => void) | undefined = undefined
}
