/** What opening a sensitive file is in a report about a command. */

import type { Activity } from '../../event/activity-spec.js'
import type { FileAccessEvent } from './events.js'

export function fileAccessActivities({ action, path }: FileAccessEvent): Activity[] {
  return [{ what: 'read', target: path, failed: action === 'denied' }]
}
