/** What executing something is in a report about a command, where somebody of the command wrote it before. */

import type { Activity } from '../../event/activity-spec.js'
import type { ProcessEvent } from './events.js'

export function processActivities({ execChange, process }: ProcessEvent): Activity[] {
  if (execChange === undefined) return []
  const { script, writerComm } = execChange
  const target = script ?? process.exe
  if (target === undefined) return []
  return [
    { what: 'ranWritten', target, detail: writerComm === undefined ? undefined : `written by ${writerComm}` },
  ]
}
