/** Applies what was said of containers: it is learnt at once, and becomes an event in its place among others. */

import type { Made } from '../../event/forms.js'
import type { RecordGroup, RecordPlace } from '../../event/raw.js'
import { stringTail, textOf } from '../../event/record-text.js'
import { containerNamed } from '../../process/place.js'
import { u64Of } from '../../event/time-base.js'
import type { Tables } from '../kind.js'
import { clusterFrom, detailsFrom, idOf, type Members, membersOf, podFrom, usersFrom } from './details.js'
import type { ContainerEvent, ContainerProblemEvent } from './events.js'
import { containerLayout, podGoneLayout, podLayout, usersLayout } from './records.js'
import type { ContainerTable } from './table.js'

const TIME_LO = 2
const TIME_HI = 3
/** The same in all of these records. */
const TEXT = containerLayout.at.text >> 2

/** Learns what a record says, as soon as it comes: events that are held have it, too. */
export function learn(place: RecordPlace, tables: Tables): void {
  const table = tables.table<ContainerTable>('container')
  const text = textIn(place)
  switch (place.type) {
    case podGoneLayout.type:
      // Later: events that are held are of the time before.
      return
    case containerLayout.type: {
      const details = detailsFrom(jsonIn(text))
      if (details !== undefined) table.learnContainer(details)
      return
    }
    case podLayout.type: {
      const pod = podFrom(jsonIn(text))
      if (pod !== undefined) table.learnPod(pod)
      return
    }
    case usersLayout.type: {
      const users = usersFrom(jsonIn(text))
      if (users !== undefined) table.learnUsers(users)
      return
    }
    default:
      table.learnCluster(clusterFrom(jsonIn(text)))
  }
}

export function applyContainer(group: RecordGroup, tables: Tables): Made<ContainerEvent> | undefined {
  if (!group.next()) return undefined
  const id = idOf(jsonIn(textIn(group))['id'])
  const found = id === undefined ? undefined : tables.table<ContainerTable>('container').described(id)
  return found === undefined ? undefined : eventOf(group, tables, 'known', found)
}

export function applyPod(group: RecordGroup, tables: Tables): Made<ContainerEvent> | undefined {
  if (!group.next()) return undefined
  const uid = idOf(jsonIn(textIn(group))['uid'])
  if (uid === undefined) return undefined
  const pod = tables.table<ContainerTable>('container').describedPod(uid)
  return eventOf(group, tables, 'known', { container: undefined, pod })
}

export function applyPodGone(group: RecordGroup, tables: Tables): Made<ContainerEvent> | undefined {
  if (!group.next()) return undefined
  const uid = idOf(textIn(group))
  if (uid === undefined) return undefined
  const table = tables.table<ContainerTable>('container')
  const pod = table.describedPod(uid)
  table.forgetPod(uid)
  return eventOf(group, tables, 'gone', { container: undefined, pod })
}

export function applyUsers(group: RecordGroup, tables: Tables): Made<ContainerEvent> | undefined {
  if (!group.next()) return undefined
  const users = usersFrom(jsonIn(textIn(group)))
  if (users === undefined) return undefined
  const { id, uid, user, gid, group: name } = users
  const found = tables.table<ContainerTable>('container').described(id)
  const described = found ?? { container: containerNamed(id, undefined), pod: undefined }
  return {
    ...eventOf(group, tables, 'known', described),
    ...(user === undefined ? {} : { uid, user }),
    ...(name === undefined ? {} : { gid, group: name }),
  }
}

export function applyCluster(group: RecordGroup): undefined {
  group.next()
  return undefined
}

export function applyProblem(group: RecordGroup, tables: Tables): Made<ContainerProblemEvent> | undefined {
  if (!group.next()) return undefined
  return {
    kind: 'containerProblem',
    timeNs: timeNsOf(group, tables),
    problem: textIn(group),
    process: undefined,
  }
}

function eventOf(
  group: RecordGroup,
  tables: Tables,
  action: ContainerEvent['action'],
  { container, pod }: Pick<ContainerEvent, 'container' | 'pod'>,
): Made<ContainerEvent> {
  const timeNs = timeNsOf(group, tables)
  return { kind: 'container', timeNs, action, container, pod, process: undefined }
}

function timeNsOf({ words, offsetBytes }: RecordPlace, { timeBase }: Tables): bigint {
  const w = offsetBytes >> 2
  return u64Of(words[w + TIME_LO] as number, words[w + TIME_HI] as number) + timeBase.bootEpochNs
}

function textIn(place: RecordPlace): string {
  const descriptor = place.words[(place.offsetBytes >> 2) + TEXT] as number
  return stringTail(textOf(place), containerLayout.fixedSizeBytes, descriptor) ?? ''
}

/** Recordings may come from anywhere: what is no object says nothing. */
function jsonIn(text: string): Members {
  try {
    return membersOf(JSON.parse(text))
  } catch {
    return {}
  }
}
