/** Events out of records of modules. */

import type { Made } from '../../event/forms.js'
import type { RecordGroup } from '../../event/raw.js'
import { charsAt, TailReader, u32At, u64At } from '../../event/record-fields.js'
import { actorOf } from '../../process/actor.js'
import type { Tables } from '../kind.js'
import type { ModuleEvent } from './events.js'
import { moduleFreeLayout, moduleLoadLayout, NAME_BYTES } from './records.js'
import { taintNames } from './taints.js'

const { at: loadAt } = moduleLoadLayout
const { at: freeAt } = moduleFreeLayout

/** A module that declares none may have an empty text. */
function known(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

/** A module was loaded. */
export function applyModuleLoad(group: RecordGroup, tables: Tables): Made<ModuleEvent> | undefined {
  if (!group.next()) return undefined
  const tails = new TailReader(group, moduleLoadLayout)
  return {
    kind: 'module',
    ...actorOf(group, loadAt, tables),
    action: 'load',
    name: charsAt(group, loadAt.name, NAME_BYTES) ?? '',
    version: known(tails.string(loadAt.version)),
    srcVersion: known(tails.string(loadAt.srcVersion)),
    file: known(tails.path(loadAt.file)),
    taints: u32At(group, loadAt.hasTaints) === 0 ? undefined : taintNames(u64At(group, loadAt.taints)),
    initFailed: false,
  }
}

/** A module was unloaded. */
export function applyModuleFree(group: RecordGroup, tables: Tables): Made<ModuleEvent> | undefined {
  if (!group.next()) return undefined
  return {
    kind: 'module',
    ...actorOf(group, freeAt, tables),
    action: 'unload',
    name: charsAt(group, freeAt.name, NAME_BYTES) ?? '',
    version: undefined,
    srcVersion: undefined,
    file: undefined,
    taints: undefined,
    initFailed: u32At(group, freeAt.hasFailed) !== 0,
  }
}
