/** Events out of records of sockets. */

import type { Made } from '../../event/forms.js'
import type { RecordGroup } from '../../event/raw.js'
import { processAt } from '../../process/at.js'
import type { Tables } from '../kind.js'
import { noteTold } from './apply-counts.js'
import { noted } from './apply-found.js'
import { Connection } from './connection.js'
import { endsAt, known, nsBetween, PID, phaseOf, SINCE, socketAt, START, TIME_LO } from './decode.js'
import type { ConnectionEvent, ConnectionFailedEvent, ListenerEvent } from './events.js'
import {
  closeLayout,
  connectErrorLayout,
  connectFailedLayout,
  listenLayout,
  PHASE_LISTENING,
  RECORD_ACCEPT,
  RECORD_CLOSE,
  RECORD_LISTEN,
  RECORD_LISTEN_PORT,
} from './records.js'
import { remoteNameOf } from './remote-name.js'

const { at } = closeLayout
const CLOSER = at.closerPid >> 2
const CLOSER_START = at.closerStartBootNs >> 2
const FAILED_ERRNO = connectFailedLayout.at.errno >> 2
const RETURNED_ERRNO = connectErrorLayout.at.errno >> 2
const FAILED_SHUTDOWN = connectFailedLayout.at.shutdown >> 2
const BACKLOG = listenLayout.at.backlog >> 2

const BOTH_SHUTDOWN = 3

const LISTEN: ListenerEvent['actions'] = Object.freeze(['listen' as const])
const UNLISTEN: ListenerEvent['actions'] = Object.freeze(['close' as const])
const BOTH: ListenerEvent['actions'] = Object.freeze(['listen' as const, 'close' as const])

/** A connection was opened, accepted or closed. */
export function applyConnection(
  group: RecordGroup,
  tables: Tables,
): Made<ConnectionEvent> | Made<ListenerEvent> | undefined {
  return noted(connectionOf(group, tables), tables)
}

function connectionOf(
  group: RecordGroup,
  tables: Tables,
): Made<ConnectionEvent> | Made<ListenerEvent> | undefined {
  if (!group.next()) return undefined
  const { words, type } = group
  const w = group.offsetBytes >> 2
  noteTold(words, w, type, tables)
  if (type === RECORD_CLOSE) {
    return phaseOf(words, w) === PHASE_LISTENING
      ? closedListener(group, tables)
      : Connection.closed(words, w, tables)
  }
  const opened = Connection.opened(words, w, type === RECORD_ACCEPT, tables)
  if (group.next()) opened.close(group.words, group.offsetBytes >> 2, tables)
  return opened
}

/** A connection was tried, and failed. */
export function applyConnectionFailed(
  group: RecordGroup,
  tables: Tables,
): Made<ConnectionFailedEvent> | undefined {
  if (!group.next()) return undefined
  const { words, type } = group
  const w = group.offsetBytes >> 2
  noteTold(words, w, type, tables)
  const pid = known(words[w + PID] as number)
  const errno = known(words[w + FAILED_ERRNO] as number)
  const ends = endsAt(words, w, tables)
  const failed: Made<ConnectionFailedEvent> = {
    kind: 'connectionFailed',
    ...ends,
    ...remoteNameOf(ends, pid, true, tables),
    errno,
    abandoned: errno === undefined && words[w + FAILED_SHUTDOWN] === BOTH_SHUTDOWN,
    durationNs: nsBetween(words, w + SINCE, w + TIME_LO),
    pid,
    process: processAt(words, w, pid, w + START, tables),
  }
  return group.next() ? { ...failed, errno: errno ?? returnedErrno(group) } : failed
}

function returnedErrno({ words, offsetBytes }: RecordGroup): number | undefined {
  return known(words[(offsetBytes >> 2) + RETURNED_ERRNO] as number)
}

/** Such a record only adds to the one that it joins. */
export function applyNothing(): undefined {}

/** A process listens, and perhaps has stopped to. */
export function applyListener(group: RecordGroup, tables: Tables): Made<ListenerEvent> | undefined {
  return noted(listenerOf(group, tables), tables)
}

function listenerOf(group: RecordGroup, tables: Tables): Made<ListenerEvent> | undefined {
  if (!group.next()) return undefined
  const { words, type } = group
  if (type !== RECORD_LISTEN) return undefined
  const w = group.offsetBytes >> 2
  const pid = known(words[w + PID] as number)
  const begun: Made<ListenerEvent> = {
    kind: 'listener',
    actions: LISTEN,
    ...socketAt(words, w, tables),
    backlog: words[w + BACKLOG] as number,
    durationNs: undefined,
    pid,
    closerPid: undefined,
    process: processAt(words, w, pid, w + START, tables),
  }
  if (!group.next()) return begun
  let { localIp, localPort } = begun
  if (group.type === RECORD_LISTEN_PORT) {
    ;({ localIp, localPort } = socketAt(group.words, group.offsetBytes >> 2, tables))
    if (!group.next()) return { ...begun, localIp, localPort }
  }
  const { durationNs, closerPid, ...closed } = closedListener(group, tables)
  if (localPort === undefined) ({ localIp, localPort } = closed)
  return { ...begun, localIp, localPort, actions: BOTH, durationNs, closerPid }
}

/** The socket of the record that is shown, at which nobody listens any more. */
function closedListener(group: RecordGroup, tables: Tables): Made<ListenerEvent> {
  const { words } = group
  const w = group.offsetBytes >> 2
  const pid = known(words[w + PID] as number)
  const closerPid = known(words[w + CLOSER] as number)
  return {
    kind: 'listener',
    actions: UNLISTEN,
    ...socketAt(words, w, tables),
    backlog: undefined,
    durationNs: nsBetween(words, w + SINCE, w + TIME_LO),
    pid,
    closerPid,
    process:
      pid === undefined
        ? processAt(words, w, closerPid, w + CLOSER_START, tables)
        : processAt(words, w, pid, w + START, tables),
  }
}
