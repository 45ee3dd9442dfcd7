import type { Made } from '../../event/forms.js'
import type { RecordGroup } from '../../event/raw.js'
import { actorOf } from '../../process/actor.js'
import type { Tables } from '../kind.js'
import type { GetpidEvent } from './events.js'
import { getpidLayout } from './records.js'

/** getpid(2) was called. */
export function applyGetpid(group: RecordGroup, tables: Tables): Made<GetpidEvent> | undefined {
  return group.next() ? { kind: 'getpid', ...actorOf(group, getpidLayout.at, tables) } : undefined
}
