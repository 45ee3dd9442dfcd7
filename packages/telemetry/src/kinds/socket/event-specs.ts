/** Declarations of the events of sockets. */

import { connectionActivities, connectionFailedActivities, listenerActivities } from './activities.js'
import { Connection } from './connection.js'
import type { EventSpec } from '../../event/spec.js'
import { processObject } from '../../process/spec.js'
import { endpointText } from '../../names/address.js'
import {
  bytesFields,
  CATEGORY,
  closerPid,
  DATASET,
  directionField,
  family,
  familyOfEnds,
  localIp,
  localPort,
  netNs,
  PATHS,
  pid,
  remoteIp,
  remoteName,
  remoteNameSource,
  remotePort,
  socketId,
  transport,
} from './event-fields.js'
import { connectionFailedText, connectionText, listenerText } from './event-texts.js'
import { udpFlowSpec } from './flow-spec.js'
import { rawSocketSpec, unixSocketSpec } from './raw-spec.js'
import { socketSnapshotSpec } from './snapshot-spec.js'
import type { ConnectionAction, ConnectionEvent, ConnectionFailedEvent, ListenerEvent } from './events.js'
import {
  connectionFailedSummary,
  connectionSummary,
  type ConnectionSummary,
  listenerSummary,
  type ListenerSummary,
} from './summary.js'

const ACTIONS: readonly ConnectionAction[] = ['connect', 'accept', 'close']

const connectionSpec: EventSpec<ConnectionEvent, ConnectionSummary> = {
  kind: 'connection',
  class: Connection,
  doc: 'A TCP connection was established by a process, accepted by one, or closed',
  subject: ({ pid, closerPid, process }) => process?.pid ?? pid ?? closerPid ?? 0,
  repeats: () => true,
  isFailure: ({ errno }) => errno !== undefined,
  runNs: ({ durationNs }) => durationNs,
  madeWith: 'sockets',
  fields: {
    actions: {
      type: 'words',
      words: ACTIONS,
      doc: 'what happened: its handshake has finished, a process got it, it was closed',
      isAlwaysKnown: true,
      ecs: 'quark.actions',
    },
    direction: directionField('who began it: `outbound` is this end; absent when its beginning was not seen'),
    pid,
    transport,
    family: familyOfEnds,
    localIp,
    localPort,
    remoteIp,
    remotePort,
    remoteName,
    remoteNameSource,
    ...bytesFields<ConnectionEvent>({
      sent: 'sent, without what was sent again, and with what waited to be sent when it was closed',
      received: 'received, whether or not they were read',
    }),
    handshakeNs: {
      type: 'duration',
      unit: 'ns',
      doc: 'from connect(2) until it was established',
      dump: 'SOCK.end handshake',
      ecs: 'quark.socket.handshake',
    },
    queuedNs: {
      type: 'duration',
      unit: 'ns',
      doc: 'from when the kernel established it until a process was seen to have it',
      dump: 'SOCK.end queued',
      ecs: 'quark.socket.queued',
    },
    durationNs: {
      type: 'duration',
      unit: 'ns',
      doc: 'until it was closed, from connect(2) on, or from when the kernel established it',
      dump: 'SOCK.end duration',
    },
    errno: {
      type: 'errno',
      doc: 'with which it had ended before it was closed: 104 is ECONNRESET, of a peer that reset it',
      dump: 'SOCK.end errno',
      ecs: [{ path: 'error.code', as: 'name', doc: '`ECONNRESET`' }, 'quark.socket.errno'],
    },
    unaccepted: {
      type: 'flag',
      doc: 'no process ever got it',
      dump: 'SOCK.end unaccepted',
      ecs: 'quark.socket.unaccepted',
    },
    closerPid,
    netNs,
    socketId,
    process: {
      type: 'object',
      object: processObject,
      doc: 'the process of `pid`, or of `closerPid` when that is not known',
    },
  },
  text: connectionText,
  summary: connectionSummary,
  activities: connectionActivities,
  dump: {
    title: ({ actions }) => actions.map((action) => TITLES[action]).join('+'),
    lines: ['SOCK local remote received sent', 'SOCK.name', 'SOCK.id', 'SOCK.end'],
  },
  ecs: {
    action: ({ actions }) => `connection${actions.map((action) => ECS_ACTIONS[action]).join('')}`,
    category: CATEGORY,
    type: ({ actions }) => typesOf(actions),
    dataset: DATASET,
    paths: PATHS,
    duration: ({ durationNs }) => durationNs,
    rows: [
      {
        what: 'TCP connection',
        action:
          '`connection`, then `-established` or `-accepted`, and `-closed`, as they apply: `connection-established-closed`',
        type: '`connection`; `start` for the first two, `end` for the last',
      },
    ],
  },
}

/** The first and the last are those of the C library. */
const TITLES: Readonly<Record<ConnectionAction, string>> = {
  connect: 'SOCK_CONN_ESTABLISHED',
  accept: 'SOCK_CONN_ACCEPTED',
  close: 'SOCK_CONN_CLOSED',
}

const ECS_ACTIONS: Readonly<Record<ConnectionAction, string>> = {
  connect: '-established',
  accept: '-accepted',
  close: '-closed',
}

function typesOf(actions: readonly ConnectionAction[]): string[] {
  const types = ['connection']
  if (actions.includes('connect') || actions.includes('accept')) types.push('start')
  if (actions.includes('close')) types.push('end')
  return types
}

const connectionFailedSpec: EventSpec<ConnectionFailedEvent> = {
  kind: 'connectionFailed',
  doc: 'A process tried to open a TCP connection, and it was not established',
  subject: ({ pid, process }) => process?.pid ?? pid ?? 0,
  repeats: () => true,
  isFailure: () => true,
  madeWith: 'sockets',
  fields: {
    errno: {
      type: 'errno',
      doc: 'why: 111 is ECONNREFUSED; absent when there was no way to the address, whose error is not seen, and when the process gave up',
      dump: 'SOCK.end errno',
      ecs: [{ path: 'error.code', as: 'name', doc: '`ECONNREFUSED`' }, 'quark.socket.errno'],
    },
    abandoned: {
      type: 'flag',
      doc: 'the socket was closed before there was an answer',
      dump: 'SOCK.end abandoned',
      ecs: 'quark.socket.abandoned',
    },
    pid,
    transport,
    family: familyOfEnds,
    localIp,
    localPort,
    remoteIp,
    remotePort,
    remoteName,
    remoteNameSource,
    durationNs: {
      type: 'duration',
      unit: 'ns',
      doc: 'from connect(2) until it failed; where there was no way, until the socket was used again or closed',
      dump: 'SOCK.end duration',
    },
    netNs,
    socketId,
    process: { type: 'object', object: processObject, doc: 'the process of `pid`' },
  },
  text: connectionFailedText,
  summary: connectionFailedSummary,
  activities: connectionFailedActivities,
  dump: {
    title: () => 'SOCK_CONN_FAILED',
    isAlarm: true,
    lines: ['SOCK local remote', 'SOCK.name', 'SOCK.id', 'SOCK.end'],
  },
  ecs: {
    action: 'connection-failed',
    category: CATEGORY,
    type: ['connection'],
    outcome: 'failure',
    dataset: DATASET,
    paths: PATHS,
    duration: ({ durationNs }) => durationNs,
  },
}

const listenerSpec: EventSpec<ListenerEvent, ListenerSummary> = {
  kind: 'listener',
  doc: 'A process listens for TCP connections, or has stopped to',
  subject: ({ pid, closerPid, process }) => process?.pid ?? pid ?? closerPid ?? 0,
  repeats: () => true,
  runNs: ({ durationNs }) => durationNs,
  madeWith: 'sockets',
  fields: {
    actions: {
      type: 'words',
      words: ['listen', 'close'],
      doc: 'what happened',
      isAlwaysKnown: true,
      ecs: 'quark.actions',
    },
    pid,
    transport,
    family: {
      ...family,
      ecs: 'network.type',
    },
    localIp: {
      type: 'string',
      doc: 'the address that it listens at; `0.0.0.0` or `::` is any',
      dump: { at: 'SOCK local', value: ({ localIp, localPort }) => endpointText(localIp, localPort) },
      ecs: 'server.ip',
    },
    localPort: {
      type: 'number',
      max: 65_535,
      roles: ['port'],
      doc: 'the port; that which the kernel chose in listen(2) is absent without fexit, until it is closed',
      ecs: 'server.port',
    },
    backlog: {
      type: 'number',
      doc: 'connections that may wait to be accepted',
      dump: 'SOCK.end backlog',
      ecs: 'quark.socket.backlog',
    },
    durationNs: {
      type: 'duration',
      unit: 'ns',
      doc: 'from listen(2) until it was closed',
      dump: 'SOCK.end duration',
    },
    closerPid,
    netNs,
    socketId,
    process: {
      type: 'object',
      object: processObject,
      doc: 'the process of `pid`, or of `closerPid` when that is not known',
    },
  },
  text: listenerText,
  summary: listenerSummary,
  activities: listenerActivities,
  dump: {
    title: ({ actions }) =>
      actions.map((action) => (action === 'listen' ? 'SOCK_LISTEN' : 'SOCK_LISTEN_CLOSED')).join('+'),
    lines: ['SOCK local', 'SOCK.id', 'SOCK.end'],
  },
  ecs: {
    action: ({ actions }) =>
      `listener${actions.map((action) => (action === 'listen' ? '-started' : '-stopped')).join('')}`,
    category: CATEGORY,
    type: ({ actions }) => actions.map((action) => (action === 'listen' ? 'start' : 'end')),
    dataset: DATASET,
    paths: PATHS,
    duration: ({ durationNs }) => durationNs,
    rows: [
      {
        what: 'process that listens',
        action: '`listener-started`, `listener-stopped`, `listener-started-stopped`',
        type: '`start`, `end`',
      },
    ],
  },
}

/** In the order of the docs. */
export const socketEvents = [
  connectionSpec,
  connectionFailedSpec,
  listenerSpec,
  udpFlowSpec,
  rawSocketSpec,
  unixSocketSpec,
  socketSnapshotSpec,
] as const
