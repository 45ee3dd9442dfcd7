/** Fields of ECS by their dotted paths, made into the steps that write the objects in which they lie. */

import {
  type EcsDocument,
  type EcsForm,
  type FieldType,
  fieldsOf,
  formsOf,
  type NamedField,
  type ObjectSpec,
  type Reach,
} from '../event/spec.js'
import {
  ALL_CAPABILITIES,
  BOOLEAN,
  BYTES,
  CAPABILITY_NAMES,
  CAPABILITY_NAMES_OF_SOME,
  COUNT,
  COUNTS,
  DIGITS,
  ERRNO_NAME,
  FLAG,
  GROUP,
  GROUP_NAME,
  GROUP_OF_USERS,
  JOINED,
  NUMBER,
  OBJECT,
  OBJECTS,
  SIGNAL_NAME,
  type Step,
  stepOf,
  STRING,
  STRINGS,
  TIME,
  USER,
  USER_NAME,
  USERS,
  VALUES,
} from './step.js'

type EcsAs = NonNullable<EcsForm<object>['as']>

const FORMS: Readonly<Record<Exclude<EcsAs, 'name'>, number>> = {
  pid: NUMBER,
  uid: USER,
  gid: GROUP_OF_USERS,
  number: NUMBER,
  errno: NUMBER,
  signal: NUMBER,
  time: TIME,
  duration: NUMBER,
  digits: NUMBER,
  capabilities: CAPABILITY_NAMES,
  flag: FLAG,
  boolean: BOOLEAN,
  string: STRING,
  strings: STRINGS,
  word: STRING,
  words: STRINGS,
  bytes: BYTES,
  object: OBJECT,
  objects: OBJECTS,
  counts: COUNTS,
  values: VALUES,
  count: COUNT,
  joined: JOINED,
  all: ALL_CAPABILITIES,
  users: USERS,
}

/** A value and its place. */
export interface Leaf {
  readonly path: string
  readonly reach: Reach
  readonly isOfEvent: boolean
  readonly form: number
  readonly name: string
  readonly value: Step['value']
  readonly steps: readonly Step[]
  readonly isInherited: boolean
}

/** All places that some fields have in a form of documents. */
export function leavesOf(fields: readonly NamedField[], isOfEvent: boolean, document: EcsDocument): Leaf[] {
  return fields.flatMap(([name, { type, ecs, object, read, isInherited = false }]) =>
    formsOf(ecs)
      .map((form): EcsForm<object> => (typeof form === 'string' ? { path: form } : form))
      .filter(({ only = document }) => only === document)
      .map(({ path, as = type, value = read, ...form }) => {
        const steps = object === undefined ? [] : objectSteps(object, document)
        const reach = reachIn(form, document)
        return { path, reach, isOfEvent, form: formOf(as, type, document), name, value, steps, isInherited }
      }),
  )
}

/** How far a field is shown in a form of documents. */
export function reachIn(
  { reach = 'self', leanReach = 'self' }: Pick<EcsForm<object>, 'reach' | 'leanReach'>,
  document: EcsDocument,
): Reach {
  return document === 'full' ? reach : leanReach
}

/** Steps for the members of an object. */
export function objectSteps(object: ObjectSpec, document: EcsDocument): Step[] {
  return treeOf(leavesOf(fieldsOf(object), false, document), object.paths ?? [])
}

function formOf(as: EcsAs, type: FieldType, document: EcsDocument): number {
  if (as === 'capabilities' && document === 'lean') return CAPABILITY_NAMES_OF_SOME
  if (as !== 'name') return FORMS[as]
  return type === 'errno' ? ERRNO_NAME : SIGNAL_NAME
}

/**
 * Steps for some leaves.
 *
 * @param order paths in the order of documents. Of the others those of the event itself come before, and those of
 *   the object behind.
 * @param prefix path of what the leaves are in, with its dot
 */
export function treeOf(leaves: readonly Leaf[], order: readonly string[], prefix = ''): Step[] {
  const branches = new Map<string, Leaf[]>()
  for (const leaf of leaves.flatMap((leaf) => split(leaf, leaves))) {
    const [key = ''] = leaf.path.slice(prefix.length).split('.')
    const branch = branches.get(key)
    if (branch === undefined) branches.set(key, [leaf])
    else branch.push(leaf)
  }
  const rank = ([key, [leaf]]: [string, Leaf[]]): number => {
    const at = order.indexOf(prefix + key)
    if (at >= 0) return at
    return leaf?.isOfEvent === true ? -1 : order.length
  }
  return [...branches]
    .sort((a, b) => rank(a) - rank(b))
    .flatMap(([key, branch]) => branchSteps(key, branch, order, prefix + key))
}

function branchSteps(key: string, branch: readonly Leaf[], order: readonly string[], path: string): Step[] {
  const values = branch.filter((leaf) => leaf.path === path)
  const steps = values.map((leaf) => {
    const lead = `"${key}":${leaf.form === OBJECT ? '{' : ''}`
    return stepOf({ ...leaf, first: lead, next: `,${lead}`, end: leaf.form === OBJECT ? '}' : '' })
  })
  const below = branch.filter((leaf) => leaf.path !== path)
  if (below.length > 0) steps.push(groupOf(key, treeOf(below, order, `${path}.`)))
  return steps
}

/** An object with some members. */
export function groupOf(key: string, steps: readonly Step[]): Step {
  return stepOf({ first: `"${key}":{`, next: `,"${key}":{`, form: GROUP, steps, end: '}' })
}

/** An id and its name are one object; when others lie in it, too, they are two members of it. */
function split(leaf: Leaf, leaves: readonly Leaf[]): Leaf[] {
  const isIdentity = leaf.form === USER || leaf.form === GROUP_OF_USERS
  if (!isIdentity || !leaves.some(({ path }) => path.startsWith(`${leaf.path}.`))) return [leaf]
  const nameForm = leaf.form === USER ? USER_NAME : GROUP_NAME
  return [
    { ...leaf, path: `${leaf.path}.id`, form: DIGITS },
    { ...leaf, path: `${leaf.path}.name`, form: nameForm },
  ]
}
