/** The declaration of sockets that were there before the queue. */

import type { EventSpec } from '../../event/spec.js'
import { processObject } from '../../process/spec.js'
import { activityColumns } from '../../process/text.js'
import {
  bytesFields,
  CATEGORY,
  DATASET,
  familyOfEnds,
  localIp,
  localPort,
  netNs,
  PATHS,
  remoteIp,
  remotePort,
  socketId,
  transport,
} from './event-fields.js'
import { ARROWS, bytesNotes, endOf, endsText } from './event-texts.js'
import type { SocketSnapshotEvent } from './events.js'
import { SOCKET_STATES } from './socket.js'

export const socketSnapshotSpec: EventSpec<SocketSnapshotEvent> = {
  kind: 'socketSnapshot',
  doc: 'A socket that was there when the queue was opened',
  subject: ({ pid, process }) => process?.pid ?? pid ?? 0,
  repeats: () => true,
  madeWith: 'sockets',
  fields: {
    state: {
      type: 'word',
      words: SOCKET_STATES,
      doc: 'what it does: `open` is one without a peer that does not listen',
      isAlwaysKnown: true,
      dump: 'SOCK.id state',
      ecs: 'quark.socket.state',
    },
    pid: {
      type: 'pid',
      doc: 'of the process that has it; of several, the one with the lowest number',
      ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
    },
    fd: {
      type: 'number',
      doc: 'number of its descriptor in that process',
      dump: 'SOCK.id fd',
      ecs: 'quark.socket.fd',
    },
    transport,
    family: familyOfEnds,
    localIp,
    localPort,
    remoteIp,
    remotePort,
    ...bytesFields<SocketSnapshotEvent>({
      sent: 'sent so far over TCP, without what was sent again',
      received: 'received so far over TCP, whether or not they were read',
    }),
    netNs,
    socketId,
    process: { type: 'object', object: processObject, doc: 'the process of `pid`' },
  },
  text: {
    ...activityColumns<SocketSnapshotEvent>((event) =>
      event.remoteIp === undefined ? endOf(event.localIp, event.localPort) : endsText(event, ARROWS.unknown),
    ),
    word: () => 'sock',
    words: {
      sock: { doc: 'a socket was there when the queue was opened (`--sockets --snapshot`)', tone: 'quiet' },
    },
    notes: [
      {
        label: '',
        type: 'word',
        value: ({ transport }) => transport,
        doc: 'the protocol of a socket',
        example: 'udp',
      },
      {
        label: '',
        type: 'word',
        gap: ' ',
        value: ({ state }) => state,
        doc: 'what it does',
        example: 'listening',
      },
      { label: 'fd ', type: 'number', value: ({ fd }) => fd, doc: 'its descriptor', example: 'fd 7' },
      ...bytesNotes,
    ],
  },
  dump: { title: () => 'SOCK_SNAPSHOT', lines: ['SOCK local remote received sent', 'SOCK.id'] },
  ecs: {
    action: 'socket-snapshot',
    kind: 'state',
    category: CATEGORY,
    type: ['info'],
    dataset: DATASET,
    paths: PATHS,
  },
}
