/** What is known of places beyond the paths of their cgroups. */

import type { Place } from './place.js'

/** Looks places up. */
export interface PlaceDetails {
  /** The place of a cgroup; undefined if nothing is known beyond its path. The same object as long as nothing changes. */
  placeOf(cgroup: string): Place | undefined
}

/** Containers that events are of and of which nothing is known, for whoever can ask. */
export class Inquiries {
  /** Called for each event of such a container: whoever sets it must remember what was asked. */
  asked: ((id: string, runtime: string | undefined) => void) | undefined = undefined
}
