/** Applies records of priorities. */

import type { Made } from '../../../event/forms.js'
import type { RecordGroup } from '../../../event/raw.js'
import { stringTail, textOf } from '../../../event/record-text.js'
import { u64Of } from '../../../event/time-base.js'
import type { Tables } from '../../kind.js'
import { type PriorityEvent, TARGETS } from './events.js'
import { foundLayout, noteLayout, priorityLayout } from './records.js'
import type { PriorityTable } from './table.js'

/** Words of the header in which the time of a record is. */
const TIME_LO = 2
const TIME_HI = 3

function tableIn(tables: Tables): PriorityTable {
  return tables.table('priority')
}

/** A priority was set, and perhaps there is a note about it. */
export function applyPriority(group: RecordGroup, tables: Tables): Made<PriorityEvent> | undefined {
  if (!group.next()) return undefined
  const { at } = priorityLayout
  const { words } = group
  const w = group.offsetBytes >> 2
  const target = TARGETS[words[w + (at.which >> 2)] as number]
  if (target === undefined) return undefined
  const timeNs =
    u64Of(words[w + TIME_LO] as number, words[w + TIME_HI] as number) + tables.timeBase.bootEpochNs
  const who = words[w + (at.who >> 2)] as number
  const nice = (words[w + (at.nice >> 2)] as number) | 0
  const process = tables.processes.lookup(words[w + (at.pid >> 2)] as number)
  const before = tableIn(tables).set(TARGETS.indexOf(target), who, nice)
  // What has joined follows in the group.
  const note = group.next() ? textIn(group) : undefined
  return { kind: 'priority', timeNs, target, who, nice, before, note, process }
}

function textIn(group: RecordGroup): string | undefined {
  const descriptor = group.words[(group.offsetBytes + noteLayout.at.text) >> 2] as number
  return stringTail(textOf(group), noteLayout.fixedSizeBytes, descriptor)
}

/** A note without a priority is ignored. */
export function applyNote(): undefined {}

/** A priority was there already. */
export function applyFound(group: RecordGroup, tables: Tables): undefined {
  if (!group.next()) return
  const { at } = foundLayout
  const w = group.offsetBytes >> 2
  const word = (offset: number): number => group.words[w + (offset >> 2)] as number
  tableIn(tables).set(word(at.which), word(at.who), word(at.nice) | 0)
}
