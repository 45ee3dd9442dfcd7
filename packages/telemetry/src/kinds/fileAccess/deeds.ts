/** What opening a sensitive file is in a report about a command. */

import type { Deed } from '../../event/deed-spec.js'
import type { FileAccessEvent } from './events.js'

export function fileAccessDeeds({ action, path }: FileAccessEvent): Deed[] {
  return [{ what: 'read', target: path, failed: action === 'denied' }]
}
