/** Events out of records about bpf(2). */

import type { Made } from '../../event/forms.js'
import type { RecordGroup } from '../../event/raw.js'
import { charsAt, s64At, TailReader, u32At } from '../../event/record-fields.js'
import { actorOf } from '../../process/actor.js'
import type { Tables } from '../kind.js'
import type { BpfCommand, BpfEvent } from './events.js'
import { ATTACH_TYPES, CGROUP_SKB, COMMANDS, LINK_TYPES, PROG_LOAD, PROGRAM_TYPES } from './names.js'
import { bpfLayout, NAME_BYTES } from './records.js'

const { at } = bpfLayout
const NAMES: Readonly<Record<number, BpfCommand>> = COMMANDS

function known(value: number): number | undefined {
  return value === 0 ? undefined : value
}

/** The first attach type has the number 0, as what is not known. */
function attachTypeOf(type: number, programType: number, command: number): string | undefined {
  if (type === 0 && (programType !== CGROUP_SKB || command === PROG_LOAD)) return undefined
  return ATTACH_TYPES[type]
}

/** A call of bpf(2) returned. */
export function applyBpf(group: RecordGroup, tables: Tables): Made<BpfEvent> | undefined {
  if (!group.next()) return undefined
  const number = u32At(group, at.command)
  const command = NAMES[number]
  if (command === undefined) return undefined
  const result = s64At(group, at.result)
  const programType = u32At(group, at.programType)
  const asked = new TailReader(group, bpfLayout).string(at.askedName)
  return {
    kind: 'bpf',
    ...actorOf(group, at, tables),
    command,
    programType: PROGRAM_TYPES[programType - 1],
    attachType: attachTypeOf(u32At(group, at.attachType), programType, number),
    programId: known(u32At(group, at.programId)),
    name: charsAt(group, at.name, NAME_BYTES) ?? (asked === '' ? undefined : asked),
    instructions: known(u32At(group, at.instructions)),
    linkId: known(u32At(group, at.linkId)),
    linkType: LINK_TYPES[u32At(group, at.linkType) - 1],
    errno: result < 0 && result >= -4095 ? -result : undefined,
  }
}
