/** How the events of sockets are lines of text. */

import type { EventTextSpec, TextNote } from '../../event/spec.js'
import { activityColumns } from '../../process/text.js'
import { endpointText } from '../../names/address.js'
import type { ConnectionEvent, ConnectionFailedEvent, ListenerEvent } from './events.js'
import type { Bytes } from './event-fields.js'

export function endOf(ip: string | undefined, port: number | undefined): string {
  return endpointText(ip, port) ?? '?'
}

type Ends = Pick<ConnectionEvent, 'localIp' | 'localPort' | 'remoteIp' | 'remotePort'> &
  Partial<Pick<ConnectionEvent, 'remoteName'>>

export function endsText(
  { localIp, localPort, remoteIp, remotePort, remoteName }: Ends,
  arrow: string,
): string {
  const local = endpointText(localIp, localPort)
  const remote =
    remoteName === undefined
      ? endOf(remoteIp, remotePort)
      : `${remoteName} (${remoteIp ?? '?'})${remotePort === undefined ? '' : `:${remotePort}`}`
  return `${local === undefined ? '' : `${local} `}${arrow} ${remote}`
}

/** By the direction of a connection. */
export const ARROWS = { outbound: '->', inbound: '<-', unknown: '--' } as const

export const durationNote: TextNote<{ readonly durationNs: bigint | undefined }> = {
  label: '',
  type: 'duration',
  value: ({ durationNs }) => durationNs,
  doc: 'how long it was open, or tried',
  example: '1.25ms',
}

export const closerNote: TextNote<{
  readonly pid: number | undefined
  readonly closerPid: number | undefined
}> = {
  label: 'closed by ',
  type: 'pid',
  value: ({ pid, closerPid }) => (closerPid === pid ? undefined : closerPid),
  doc: 'pid of the process that closed it, if that is another one',
  example: 'closed by 4243',
}

export const errnoNote: TextNote<{ readonly errno: number | undefined }> = {
  label: '',
  type: 'errno',
  value: ({ errno }) => errno,
  tone: 'wrong',
  doc: 'why a connection ended or was not established',
  example: 'ECONNRESET',
}

/** How much went both ways. */
export const bytesNotes: readonly TextNote<Bytes>[] = [
  {
    label: 'sent ',
    type: 'size',
    value: ({ sentBytes }) => sentBytes,
    doc: 'bytes that this end sent',
    example: 'sent 517B',
  },
  {
    label: 'received ',
    type: 'size',
    value: ({ receivedBytes }) => receivedBytes,
    doc: 'bytes that this end received',
    example: 'received 3.41M',
  },
]

export const connectionText: EventTextSpec<ConnectionEvent> = {
  ...activityColumns<ConnectionEvent>((event) => endsText(event, ARROWS[event.direction ?? 'unknown'])),
  word: ({ actions }) =>
    actions.includes('connect') ? 'conn' : actions.includes('accept') ? 'acpt' : 'clos',
  words: {
    conn: {
      doc: 'a TCP connection of a process is established; its end is in the same line if it came soon (`--sockets`)',
      tone: 'began',
    },
    acpt: { doc: 'a process accepted a TCP connection, or was the first to use it', tone: 'began' },
    clos: { doc: 'a TCP connection was closed', tone: 'quiet' },
  },
  notes: [
    ...bytesNotes,
    errnoNote,
    {
      label: 'not accepted',
      type: 'flag',
      value: ({ unaccepted }) => unaccepted,
      tone: 'wrong',
      doc: 'no process ever got the connection',
      example: 'not accepted',
    },
    durationNote,
    closerNote,
  ],
}

export const connectionFailedText: EventTextSpec<ConnectionFailedEvent> = {
  ...activityColumns<ConnectionFailedEvent>((event) => endsText(event, ARROWS.outbound)),
  word: () => 'conx',
  words: { conx: { doc: 'a TCP connection of a process was not established (`--sockets`)', tone: 'wrong' } },
  notes: [
    errnoNote,
    {
      label: 'given up',
      type: 'flag',
      value: ({ abandoned }) => abandoned,
      doc: 'the process closed the socket before there was an answer',
      example: 'given up',
    },
    durationNote,
  ],
}

export const listenerText: EventTextSpec<ListenerEvent> = {
  ...activityColumns<ListenerEvent>(({ localIp, localPort }) => endOf(localIp, localPort)),
  word: ({ actions }) => (actions.includes('listen') ? 'lstn' : 'lend'),
  words: {
    lstn: { doc: 'a process listens for TCP connections (`--sockets`)', tone: 'began' },
    lend: { doc: 'nobody listens there any more', tone: 'quiet' },
  },
  notes: [
    {
      label: 'backlog ',
      type: 'number',
      value: ({ backlog }) => backlog,
      doc: 'connections that may wait to be accepted',
      example: 'backlog 511',
    },
    durationNote,
    closerNote,
  ],
}
