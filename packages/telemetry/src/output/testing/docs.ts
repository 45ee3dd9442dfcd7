/** The tables of docs/json.md, docs/ecs.md and docs/text.md, made of the declarations. */

import {
  type EcsDocument,
  type EcsForm,
  type EventSpec,
  type FieldSpec,
  type FieldType,
  fieldsOf,
  formsOf,
  type NamedField,
  type ObjectSpec,
  type Reach,
  type RelativeSpec,
} from '../../event/spec.js'
import { eventMembers, type JsonMember, membersOf } from '../json-members.js'
import { fieldsOfLine } from '../line.js'
import type { Declarations } from '../specs.js'
import { ENVIRONMENT, LINE_CUT } from '../text.js'

/** Replaces what stands between the markers of a page: `<!-- made of the declarations: name -->`. */
export function fillIn(page: string, parts: Readonly<Record<string, string>>): string {
  return page.replace(
    /(<!-- made of the declarations: (\w+) -->\n)[^]*?(<!-- end -->)/g,
    (_, start: string, name: string, end: string) => {
      const part = parts[name]
      if (part === undefined) throw new Error(`Cannot fill in a page: nothing is called ${name}`)
      return `${start}\n${part}\n${end}`
    },
  )
}

const LINE_FIELDS = fieldsOfLine({ isTruncated: false, hasCutRelatives: false })

/** The parts of docs/json.md. */
export function jsonParts({ events }: Declarations): Record<string, string> {
  return {
    kinds: table(
      ['Kind', ''],
      events.map(({ kind, doc }) => [code(kind), doc]),
    ),
    line: table(['Member', 'Type', ''], membersOf(LINE_FIELDS).map(memberRow)),
    members: events.map((spec) => section(`### Event ${code(spec.kind)}`, eventMembers(spec))).join('\n'),
    objects: objectsIn(events.flatMap(eventMembers))
      .map((object) => section(`### ${code(object.name)}\n\n${object.doc}.`, membersOf(fieldsOf(object))))
      .join('\n'),
  }
}

function memberRow({ key, field }: JsonMember): string[] {
  return [code(key), jsonType(field), jsonDoc(field)]
}

/** All objects that members are, each once, before those that they hold. */
function objectsIn(members: readonly JsonMember[]): ObjectSpec[] {
  const found = new Map<string, ObjectSpec>()
  const add = (inner: readonly JsonMember[]): void => {
    for (const { field } of inner) {
      const { object } = field
      if (object === undefined || found.has(object.name)) continue
      found.set(object.name, object)
      add(membersOf(fieldsOf(object)))
    }
  }
  add(members)
  return [...found.values()]
}

function section(title: string, members: readonly JsonMember[]): string {
  const rows = members.map(memberRow)
  return `${title}\n\n${rows.length === 0 ? 'No members of its own.\n' : table(['Member', 'Type', ''], rows)}`
}

const JSON_TYPES: Readonly<Record<Exclude<FieldType, 'object' | 'objects'>, string>> = {
  pid: 'number',
  uid: 'number',
  gid: 'number',
  number: 'number',
  errno: 'number',
  signal: 'number',
  time: 'time',
  duration: 'number, or digits',
  digits: 'digits',
  capabilities: 'capability set',
  flag: '`true`',
  boolean: 'boolean',
  string: 'string',
  strings: 'strings',
  word: 'string',
  words: 'strings',
  bytes: 'Base64',
  counts: 'numbers by name',
  values: 'values by name',
}

function jsonType({ type, object }: FieldSpec<object>): string {
  if (object === undefined) return JSON_TYPES[type as Exclude<FieldType, 'object' | 'objects'>]
  const link = `[${object.name}](#${object.name.toLowerCase()})`
  return type === 'objects' ? `list of ${link}` : link
}

function jsonDoc(field: FieldSpec<object>): string {
  return [
    meaning(field),
    ...(field.isAlwaysKnown === true ? ['always there'] : []),
    ...(field.mayHoldSecrets === true ? ['may hold secrets'] : []),
  ].join('; ')
}

function meaning({ doc, words, unit }: FieldSpec<object>): string {
  const values = words === undefined ? '' : `: ${words.map(code).join(', ')}`
  return `${doc}${values}${unit === undefined ? '' : `, in ${unit}`}`
}

/** All objects in events, each once, before those that they hold. */
function objectsOf(events: readonly EventSpec[]): ObjectSpec[] {
  const found = new Map<string, ObjectSpec>()
  const add = (fields: readonly NamedField[]): void => {
    for (const [, { object }] of fields) {
      if (object === undefined || found.has(object.name)) continue
      found.set(object.name, object)
      add(fieldsOf(object))
    }
  }
  for (const spec of events) add(fieldsOf(spec))
  return [...found.values()]
}

/** The parts of docs/ecs.md. */
export function ecsParts({ events }: Declarations): Record<string, string> {
  const written = events.filter(({ ecs }) => ecs !== undefined)
  // A list that many events have is shown once.
  const lists = new Set<FieldSpec<object>>()
  const rows = written.flatMap((spec) =>
    fieldsOf(spec)
      .filter(([, field]) => !isSubject(field) && !lists.has(field))
      .flatMap((named) => {
        const [, field] = named
        const isShared =
          field.type === 'objects' && written.some((other) => other !== spec && hasField(other, field))
        if (isShared) lists.add(field)
        return ecsRows(named, isShared ? 'event.' : `${spec.kind}.`)
      }),
  )
  const subjects = objectsOf(written).filter((object) => object.place !== undefined)
  const all = [
    ...subjects.flatMap((object) => fieldsOf(object).flatMap((field) => ecsRows(field, ''))),
    ...rows,
    ...LINE_FIELDS.flatMap((field) => ecsRows(field, 'line.')),
  ]
  const places = subjects.map(({ place = '' }) => `${place}.`)
  const isPlaced = ({ path }: EcsRow): boolean => places.some((place) => path.startsWith(place))
  const isOwn = ({ path }: EcsRow): boolean => path.startsWith('quark.')
  const relatives = subjects.flatMap((object) => relativeRows(object.place ?? '', object.relatives))
  return {
    events: table(['Event', '`event.action`', '`event.type`'], written.flatMap(eventRows)),
    others: fieldTable(all.filter((row) => !isPlaced(row) && !isOwn(row))),
    subjects:
      fieldTable(all.filter(isPlaced), true) +
      `\n${table(['Relative', '', 'Documents', 'Shown'], relatives)}`,
    quark: fieldTable(all.filter(isOwn)),
  }
}

function hasField(spec: EventSpec, field: FieldSpec<object>): boolean {
  return fieldsOf(spec).some(([, other]) => other === field)
}

const SHOWN: Readonly<Record<Reach, string>> = {
  self: 'no',
  parent: 'parent',
  relatives: 'yes',
  references: 'yes, and in references',
}

/** What relatives show in full documents, and in lean ones. */
function shownText({ reach, leanReach, only }: EcsRow): string {
  const inFull = only === 'lean' ? '' : SHOWN[reach]
  const inLean = only === 'full' ? '' : leanReach === 'references' ? SHOWN.relatives : SHOWN[leanReach]
  return [inFull, inLean === inFull ? '' : `lean: ${inLean}`]
    .filter((text) => !/^(lean: )?$/.test(text))
    .join('; ')
}

/** An object that is shown as itself, and whose paths are those of the document. */
function isSubject({ object, ecs }: FieldSpec<object>): boolean {
  return object !== undefined && ecs === undefined
}

interface EcsRow {
  readonly path: string
  readonly type: string
  readonly from: string
  readonly reach: Reach
  readonly leanReach: Reach
  readonly only: EcsDocument | undefined
  readonly doc: string
}

function eventRows({ doc, ecs }: EventSpec): string[][] {
  if (ecs?.rows !== undefined) return ecs.rows.map(({ what, action, type }) => [what, action, type])
  const type = ecs?.type
  return [[doc, code(String(ecs?.action)), Array.isArray(type) ? type.map(code).join(', ') : '']]
}

function ecsRows([name, field]: NamedField, of: string): EcsRow[] {
  return formsOf(field.ecs).flatMap((form) => {
    const {
      path,
      as = field.type,
      reach = 'self',
      leanReach = 'self',
      only,
      doc,
    }: EcsForm<object> = typeof form === 'string' ? { path: form } : form
    const from = `${of}${name}`
    const { object } = field
    if (object !== undefined) {
      const rows = fieldsOf(object).flatMap((inner) => ecsRows(inner, `${from}.`))
      const isAlike =
        rows.length > 0 && rows.every(({ type, path }) => type === rows[0]?.type && !path.includes('.'))
      if (!isAlike) return rows.map((row) => Object.assign(row, { path: `${path}.${row.path}` }))
      const keys = rows.map((row) => row.path).join(',')
      return [
        {
          path: `${path}.{${keys}}`,
          type: rows[0]?.type ?? '',
          from,
          reach,
          leanReach,
          only,
          doc: object.doc,
        },
      ]
    }
    const isIdentity = as === 'uid' || as === 'gid'
    return [
      {
        path: isIdentity ? `${path}.{id,name}` : path,
        type: ecsType(as),
        from,
        reach,
        leanReach,
        only,
        doc: doc ?? meaning(field),
      },
    ]
  })
}

const ECS_TYPES: Readonly<Record<NonNullable<EcsForm<object>['as']>, string>> = {
  pid: 'long',
  uid: 'keyword',
  gid: 'keyword',
  number: 'long',
  errno: 'long',
  signal: 'long',
  time: 'date',
  duration: 'long',
  digits: 'unsigned_long',
  capabilities: 'keywords',
  flag: 'boolean, only when true',
  boolean: 'boolean',
  string: 'keyword',
  strings: 'keywords',
  word: 'keyword',
  words: 'keywords',
  bytes: 'keyword',
  object: 'object',
  objects: 'objects',
  counts: 'object',
  values: 'object',
  name: 'keyword',
  count: 'long',
  joined: 'keyword',
  all: 'boolean, only when true',
  users: 'keywords',
}

function ecsType(as: NonNullable<EcsForm<object>['as']>): string {
  return ECS_TYPES[as]
}

function fieldTable(rows: readonly EcsRow[], withRelatives = false): string {
  return table(
    ['Field', 'Type', 'From', 'Documents', ...(withRelatives ? ['In parent and leaders'] : []), ''],
    rows.map((row) => [
      code(row.path),
      row.type,
      code(row.from),
      row.only ?? 'both',
      ...(withRelatives ? [shownText(row)] : []),
      row.doc,
    ]),
  )
}

function relativeRows(place: string, relatives: readonly RelativeSpec[] | undefined): string[][] {
  return (relatives ?? []).flatMap(({ key, doc, shows, same, only, relatives: more }) => {
    const path = `${place}.${key}`
    const shown = shows === 'references' ? 'a reference' : shows === 'parent' ? 'as parent' : 'as leader'
    const also = same === undefined ? '' : `, with ${code(same)}`
    return [[code(path), doc, only ?? 'both', shown + also], ...relativeRows(path, more)]
  })
}

function code(text: string): string {
  return `\`${text}\``
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return `${[line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')}\n`
}

/** The parts of docs/text.md. */
export function textParts({ events }: Declarations): Record<string, string> {
  const texts = events.flatMap(({ text }) => text ?? [])
  const words = texts.flatMap(({ words }) => Object.entries(words))
  const notes = [...texts.flatMap(({ notes = [] }) => notes), LINE_CUT, ENVIRONMENT]
  // Kinds share notes.
  const rows = new Map(notes.map(({ example, doc }) => [`${example} ${doc}`, [code(example), doc]]))
  return {
    words: table(
      ['Word', ''],
      words.map(([word, { doc }]) => [code(word), doc]),
    ),
    notes: table(['Note', ''], [...rows.values()]),
  }
}
