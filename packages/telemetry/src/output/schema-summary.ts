/** The part of the JSON Schema about the one object of a summary. */

import type { EventSpec } from '../event/spec.js'
import {
  countsOf,
  listsOf,
  type SummaryCount,
  type SummaryList,
  type SummaryMember,
  type SummaryNumber,
  type SummaryUnit,
} from '../event/summary-spec.js'

type Schema = Readonly<Record<string, unknown>>

const MAX_U32 = 0xffffffff
const INTEGER: Schema = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }
const NUMBER: Schema = { type: 'number', minimum: 0 }

/** The schema of `quark-mon --summary --json`. */
export function summarySchema(events: readonly EventSpec[]): Schema {
  const members = new Map<string, Schema>()
  for (const count of countsOf(events)) addCount(members, count)
  for (const list of listsOf(events)) members.set(list.at, listSchema(list))
  return {
    title: 'summary',
    description: 'What happened, in place of events: quark-mon --summary --json',
    type: 'object',
    properties: {
      time: {
        description: 'When it was made',
        type: 'string',
        pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$',
      },
      kind: { const: 'summary' },
      seconds: { description: 'how long it was collected', ...NUMBER },
      ...Object.fromEntries(members),
      isCut: {
        description: 'there were more names or users than are kept: small sums are missing',
        type: 'boolean',
      },
    },
    required: ['time', 'kind', 'seconds', 'isCut', ...always(events)],
  }
}

function always(events: readonly EventSpec[]): string[] {
  const counts = countsOf(events).filter(({ isAlways }) => isAlways === true)
  const lists = listsOf(events).filter(({ isAlways }) => isAlways === true)
  return [...counts.map(({ at }) => at.split('.')[0] as string), ...lists.map(({ at }) => at)]
}

function addCount(members: Map<string, Schema>, { at, doc, unit, perSecond }: SummaryCount<never>): void {
  const [member = '', inner] = at.split('.')
  const schema = { description: doc, ...numberSchema(unit) }
  if (inner === undefined) members.set(member, schema)
  else {
    const { properties, required } = members.get(member) ?? {}
    members.set(member, {
      type: 'object',
      properties: { ...(properties as object | undefined), [inner]: schema },
      required: [...((required as string[] | undefined) ?? []), inner],
    })
  }
  if (perSecond !== undefined) members.set(perSecond, { description: `${doc}, per second`, ...NUMBER })
}

function listSchema(list: SummaryList<never>): Schema {
  const { doc, members, type } = list
  const [first, ...others] = (type === 'sums' ? list.numbers : [list.number]) as [
    SummaryNumber<never>,
    ...SummaryNumber<never>[],
  ]
  const properties = [
    ...members.flatMap(memberSchemas),
    numberMember(first),
    ...(type === 'sums' ? [errorMember(first)] : []),
    ...others.map(numberMember),
  ]
  return {
    description: doc,
    type: 'array',
    items: {
      type: 'object',
      properties: Object.fromEntries(properties),
      required: [(members[0] as SummaryMember<never>).name, first.name],
    },
  }
}

function memberSchemas({ name, doc, type }: SummaryMember<never>): [string, Schema][] {
  if (type === 'number') return [[name, { description: doc, type: 'integer', minimum: 0, maximum: MAX_U32 }]]
  if (type !== 'uid') return [[name, { description: doc, type: 'string' }]]
  return [
    [name, { description: doc, type: 'integer', minimum: 0, maximum: MAX_U32 }],
    ['name', { description: `name of \`${name}\`, if it is known`, type: 'string' }],
  ]
}

function numberMember({ name, doc, unit }: SummaryNumber<never>): [string, Schema] {
  return [name, { description: doc, ...numberSchema(unit) }]
}

function errorMember({ name, unit }: SummaryNumber<never>): [string, Schema] {
  const description = `\`${name}\` is too large by at most this, and other numbers may be too small; absent when all is exact`
  return ['errorAtMost', { description, ...numberSchema(unit) }]
}

function numberSchema(unit: SummaryUnit = 'count'): Schema {
  return unit === 'ns' ? NUMBER : INTEGER
}
