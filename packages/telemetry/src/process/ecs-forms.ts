/** Places of a process in ECS that are others in lean documents. */

import type { EcsForm, FieldSpec, Rule } from '../event/spec.js'
import type { Process } from './process.js'

type EcsForms = NonNullable<FieldSpec<Process>['ecs']>

/** Inodes of the initial namespaces, which are the same in all kernels. */
const INITIAL = {
  time: 0xeffffffa,
  cgroup: 0xeffffffb,
  pid: 0xeffffffc,
  user: 0xeffffffd,
  uts: 0xeffffffe,
  ipc: 0xefffffff,
}

/** In full documents the field, and in lean ones what the rule leaves of it. */
export function leanIf(form: EcsForm<Process>, value: Rule<Process, unknown>, doc: string): EcsForms {
  const { path, as } = form
  return [
    { ...form, only: 'full' },
    { path, ...(as === undefined ? {} : { as }), only: 'lean', value, doc },
  ]
}

/** A set of capabilities. A lean document has it if it is neither empty nor all, and says if it is all. */
export function capabilitySet(path: string, name: string): EcsForms {
  return [
    path,
    {
      path: `quark.capabilities.all.${name}`,
      as: 'all',
      only: 'lean',
      doc: `the ${name} capabilities are all that the machine has`,
    },
  ]
}

/** A namespace. A lean document has it if it is not the initial one. */
export function namespace(name: keyof typeof INITIAL, inode: Rule<Process, number | undefined>): EcsForms {
  const initial = INITIAL[name]
  return leanIf(
    { path: `quark.namespaces.${name}` },
    (process) => {
      const found = inode(process)
      return found === initial ? undefined : found
    },
    'if it is not the initial one',
  )
}
