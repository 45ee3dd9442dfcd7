/** What connections are in a report about a command. */

import type { Activity } from '../../event/activity-spec.js'
import type { ConnectionEvent, ConnectionFailedEvent, ListenerEvent, UdpFlowEvent } from './events.js'

interface Remote {
  readonly remoteIp: string | undefined
  readonly remotePort: number | undefined
  readonly remoteName?: string | undefined
}

/** `github.com:443`, or with the address if no name is known. */
function targetOf({ remoteIp, remotePort, remoteName }: Remote): string {
  const host = remoteName ?? remoteIp ?? '(unknown)'
  const place = host.includes(':') ? `[${host}]` : host
  return remotePort === undefined ? place : `${place}:${remotePort}`
}

function detailOf({ remoteIp, remoteName }: Remote): string | undefined {
  return remoteName === undefined ? undefined : remoteIp
}

/** Connections that came from elsewhere are those of who listens. */
export function connectionActivities(event: ConnectionEvent): Activity[] {
  if (event.direction !== 'outbound') return []
  const { sentBytes, receivedBytes } = event
  return [{ what: 'contacted', target: targetOf(event), detail: detailOf(event), sentBytes, receivedBytes }]
}

export function connectionFailedActivities(event: ConnectionFailedEvent): Activity[] {
  return [{ what: 'contacted', target: targetOf(event), detail: detailOf(event), failed: true }]
}

export function udpFlowActivities(event: UdpFlowEvent): Activity[] {
  if (event.direction !== 'outbound') return []
  const { sentBytes, receivedBytes } = event
  const target = `${targetOf(event)}/udp`
  return [{ what: 'contacted', target, detail: detailOf(event), sentBytes, receivedBytes }]
}

export function listenerActivities({ actions, localIp, localPort }: ListenerEvent): Activity[] {
  if (actions[0] !== 'listen' || localIp === undefined) return []
  const place = localIp.includes(':') ? `[${localIp}]` : localIp
  return [{ what: 'listened', target: localPort === undefined ? place : `${place}:${localPort}` }]
}
