/** The declaration of flows of UDP. */

import { udpFlowActivities } from './activities.js'
import type { EventSpec, FieldSpec } from '../../event/spec.js'
import { processObject } from '../../process/spec.js'
import { activityColumns } from '../../process/text.js'
import {
  bytesFields,
  CATEGORY,
  closerPid,
  DATASET,
  directionField,
  familyOfEnds,
  isInbound,
  localIp,
  localPort,
  netNs,
  PATHS,
  remoteIp,
  remoteName,
  remoteNameSource,
  remotePort,
  socketId,
  transport,
} from './event-fields.js'
import { ARROWS, bytesNotes, closerNote, durationNote, endsText } from './event-texts.js'
import type { UdpFlowEvent } from './events.js'
import { flowSummary, type FlowSummary } from './summary.js'

const sourcePackets = (event: UdpFlowEvent): number | undefined =>
  isInbound(event) ? event.receivedDatagrams : event.sentDatagrams
const targetPackets = (event: UdpFlowEvent): number | undefined =>
  isInbound(event) ? event.sentDatagrams : event.receivedDatagrams

const datagrams: Readonly<Record<'sentDatagrams' | 'receivedDatagrams', FieldSpec<UdpFlowEvent>>> = {
  sentDatagrams: {
    type: 'number',
    max: Number.MAX_SAFE_INTEGER,
    doc: 'datagrams that this end sent',
    dump: 'SOCK.udp sent_datagrams',
    ecs: [
      { path: 'source.packets', value: sourcePackets },
      { path: 'client.packets', value: sourcePackets },
      {
        path: 'network.packets',
        value: ({ sentDatagrams, receivedDatagrams }) =>
          sentDatagrams === undefined || receivedDatagrams === undefined
            ? undefined
            : sentDatagrams + receivedDatagrams,
        doc: 'both together',
      },
    ],
  },
  receivedDatagrams: {
    type: 'number',
    max: Number.MAX_SAFE_INTEGER,
    doc: 'datagrams that processes of this end read; without fentry those that came, read or not: see `capabilities`',
    dump: 'SOCK.udp received_datagrams',
    ecs: [
      { path: 'destination.packets', value: targetPackets },
      { path: 'server.packets', value: targetPackets },
    ],
  },
}

export const udpFlowSpec: EventSpec<UdpFlowEvent, FlowSummary> = {
  kind: 'udpFlow',
  doc: 'Datagrams went between a socket of UDP and one other end, and no more are expected',
  subject: ({ pid, process }) => process?.pid ?? pid ?? 0,
  repeats: () => true,
  runNs: ({ durationNs }) => durationNs,
  madeWith: 'sockets',
  summary: flowSummary,
  activities: udpFlowActivities,
  fields: {
    direction: directionField('who sent first: `outbound` is this end'),
    pid: {
      type: 'pid',
      doc: 'of the process that last sent to this end; else of that which last read from the socket, or opened it',
      ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
    },
    transport,
    family: familyOfEnds,
    localIp,
    localPort,
    remoteIp,
    remotePort,
    remoteName,
    remoteNameSource,
    ...bytesFields<UdpFlowEvent>({
      sent: 'bytes of the datagrams that were sent, without headers',
      received: 'bytes of those that were received, without headers',
    }),
    ...datagrams,
    beganNs: {
      type: 'time',
      json: 'began',
      doc: 'of the first datagram',
      dump: 'SOCK.udp began',
    },
    lastNs: {
      type: 'time',
      json: 'last',
      doc: 'of the last datagram',
      isAlwaysKnown: true,
      dump: 'SOCK.udp last',
    },
    durationNs: {
      type: 'duration',
      unit: 'ns',
      doc: 'from the first datagram to the last',
      dump: 'SOCK.end duration',
    },
    ended: {
      type: 'word',
      words: ['closed', 'idle'],
      doc: 'why no more are expected: the socket was closed, or there was none for `flowIdleMs`; absent at the end of the queue',
      dump: 'SOCK.end ended',
      ecs: 'quark.socket.ended',
    },
    openerPid: {
      type: 'pid',
      doc: 'of the process that made the socket',
      dump: 'SOCK.end opener_pid',
      ecs: 'quark.socket.opener_pid',
    },
    closerPid,
    netNs,
    socketId,
    process: { type: 'object', object: processObject, doc: 'the process of `pid`' },
  },
  text: {
    ...activityColumns<UdpFlowEvent>((event) => endsText(event, ARROWS[event.direction ?? 'unknown'])),
    word: () => 'flow',
    words: {
      flow: {
        doc: 'datagrams went between a socket of UDP and another end, and no more are expected (`--sockets`)',
        tone: 'quiet',
      },
    },
    notes: [
      {
        label: '',
        end: ' out',
        type: 'number',
        value: ({ sentDatagrams }) => sentDatagrams,
        doc: 'datagrams that were sent',
        example: '3 out',
      },
      {
        label: '',
        end: ' in',
        type: 'number',
        value: ({ receivedDatagrams }) => receivedDatagrams,
        doc: 'datagrams that were received',
        example: '3 in',
      },
      ...bytesNotes,
      durationNote,
      {
        label: 'opened by ',
        type: 'pid',
        value: ({ pid, openerPid }) => (openerPid === pid ? undefined : openerPid),
        doc: 'pid of the process that made the socket, if that is another one',
        example: 'opened by 4241',
      },
      closerNote,
    ],
  },
  dump: {
    title: () => 'SOCK_UDP_FLOW',
    lines: ['SOCK local remote received sent', 'SOCK.name', 'SOCK.udp', 'SOCK.id', 'SOCK.end'],
  },
  ecs: {
    action: 'udp-flow',
    category: CATEGORY,
    type: ['connection', 'end'],
    dataset: DATASET,
    paths: PATHS,
    duration: ({ durationNs }) => durationNs,
    start: ({ beganNs }) => beganNs,
    end: ({ lastNs }) => lastNs,
  },
}
