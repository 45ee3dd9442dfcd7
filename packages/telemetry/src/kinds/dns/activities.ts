/** What a name that is looked up is in a report about a command. */

import type { Activity } from '../../event/activity-spec.js'
import type { DnsEvent } from './events.js'

export function dnsActivities({ direction, name, rcode, addresses, isMalformed }: DnsEvent): Activity[] {
  if (direction !== 'outbound' || name === undefined || isMalformed) return []
  const failed = rcode !== undefined && rcode !== 'NOERROR'
  return [{ what: 'lookedUp', target: name, detail: addresses?.[0], failed }]
}
