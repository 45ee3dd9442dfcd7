/**
 * Elastic Common Schema: one document per event. docs/ecs.md is its contract.
 */

import type { BaseEvent } from '../event/event.js'
import {
  type EcsDocument,
  type EcsEventSpec,
  type EventSpec,
  fieldsOf,
  lineagesOf,
  type NamedField,
} from '../event/spec.js'
import { cutHost, type EcsHost, hostFields, hostIdentity } from './ecs-host.js'
import { DocumentNames } from './line-names.js'
import { NO_RELATIVES, type Related, RelativesWriter } from './ecs-relatives.js'
import { groupOf, type Leaf, leavesOf, treeOf } from './ecs-tree.js'
import { obj, str, strs } from './fragments.js'
import { isoTime } from './iso-time.js'
import { DEFAULT_LINE_BYTES, fieldsOfLine, Line } from './line.js'
import { flat } from './memo.js'
import { type Declarations, planByKind } from './specs.js'
import { type Members, type Step } from './step.js'
import { withMemos, writeSteps } from './steps.js'
import { type LineWriter, lineWriter } from './writer.js'

/** The version of ECS whose fields are used. */
export const ECS_VERSION = '9.4.0'

/** What documents contain beside the event. */
export interface EcsContext {
  /** Written into every document when it is given: in lean ones by name and id, but for the first of a stream. */
  readonly host?: EcsHost
  userName(this: void, uid: number): string | undefined
  groupName(this: void, gid: number): string | undefined
}

/** Field sets whose place among the others is fixed. */
const ORDER = ['error', 'user', 'process', 'quark']

interface EcsPlan {
  /** `event`, where it is always the same. */
  readonly constant: string | undefined
  readonly spec: EventSpec
  readonly categorisationOf: (event: BaseEvent) => string
  readonly steps: readonly Step[]
  /** The member of the event that its object is. */
  readonly subject: string | undefined
  /** Whether all that is known of the host is written, even if the document is lean. */
  readonly describesHost: boolean
}

/** How documents are written. */
export interface EcsSettings {
  readonly document: EcsDocument
  readonly maxBytes: number
}

/** A function that writes the declared events as lines of ECS JSON, without line ends. Host fields are written once, here. */
export function ecsWriter(
  catalogue: Declarations,
  context: EcsContext,
  { document = 'lean', maxBytes = DEFAULT_LINE_BYTES }: Partial<EcsSettings> = {},
): LineWriter<BaseEvent> {
  const { host, userName, groupName } = context
  const names = new DocumentNames({ userName, groupName })
  const line = new Line(maxBytes, names)
  if (host?.capabilities !== undefined) line.allCapabilities = BigInt(host.capabilities)
  const relatives = new RelativesWriter(line, document)
  const version = `"${obj('ecs', str('version', ECS_VERSION))}`
  const isLean = document === 'lean'
  const { text: whole, isCut } = boundedHost(host, maxBytes >> 2)
  const identity = isLean && host !== undefined ? hostIdentity(cutHost(host, maxBytes >> 4)) : whole
  if (isCut && !isLean) line.cutFrame()
  const planOf = planByKind(catalogue, (spec) => planEcs(spec, relatives, line, document))
  return lineWriter(line, (event) => {
    names.begin()
    const { constant, spec, categorisationOf, steps, subject, describesHost } = planOf(event.kind)
    if (spec.repeats?.(event) === true) line.shorten()
    const members = event as unknown as Members
    const object = subject === undefined ? undefined : (members[subject] as Members | undefined)
    relatives.related = (members['relatives'] as Related | undefined) ?? NO_RELATIVES
    if (isCut && describesHost) line.cutHead()
    const category = constant ?? categorisationOf(event)
    const head = `{"@timestamp":"${isoTime(event.timeNs)}${version}${describesHost ? whole : identity}${category}`
    return `${writeSteps(steps, members, object, head, false, line)}}`
  })
}

/** At most a quarter of a line: machines with containers have thousands of addresses. */
function boundedHost(host: EcsHost | undefined, mostBytes: number): { text: string; isCut: boolean } {
  if (host === undefined) return { text: '', isCut: false }
  let text = hostFields(host)
  const isCut = Buffer.byteLength(text) > mostBytes
  for (let limit = mostBytes; Buffer.byteLength(text) > mostBytes && limit > 0; limit >>= 1) {
    text = hostFields(cutHost(host, limit))
  }
  return { text, isCut }
}

function planEcs(spec: EventSpec, relatives: RelativesWriter, line: Line, document: EcsDocument): EcsPlan {
  const { ecs, kind } = spec
  if (ecs === undefined) throw new TypeError(`Cannot write an event as ECS that has no place in it: ${kind}`)
  // The object that the event is about: its paths are those of the document.
  const isSubject = ([, { object, ecs }]: NamedField): boolean => object !== undefined && ecs === undefined
  const fields = fieldsOf(spec)
  const subject = fields.find(isSubject)
  const own = leavesOf(
    [...fieldsOfLine(line), ...fields.filter((field) => !isSubject(field)), ...lineagesOf(fields)],
    true,
    document,
  )
  const order = [...ORDER, ...(ecs.paths ?? []), ...(subject?.[1].object?.paths ?? [])]
  const steps =
    subject === undefined ? treeOf(own, order) : stepsWithSubject(subject, own, order, relatives, document)
  const isConstant =
    typeof ecs.action === 'string' &&
    typeof ecs.type !== 'function' &&
    (ecs.duration ?? ecs.start ?? ecs.end) === undefined
  return {
    spec,
    constant: isConstant
      ? categorisation(ecs, ecs.action as string, ecs.type as readonly string[]) + '}'
      : undefined,
    categorisationOf: categoriser(ecs),
    steps,
    subject: subject?.[0],
    describesHost: ecs.describesHost === true,
  }
}

function stepsWithSubject(
  [, { object }]: NamedField,
  own: readonly Leaf[],
  order: readonly string[],
  relatives: RelativesWriter,
  document: EcsDocument,
): Step[] {
  if (object === undefined) return []
  const { place = '' } = object
  const leaves = [...own, ...leavesOf(fieldsOf(object), false, document)]
  const isAtPlace = ({ path }: Leaf): boolean => path.startsWith(`${place}.`)
  const placed = groupOf(place, relatives.stepsOf(object, leaves.filter(isAtPlace), order))
  const rest = treeOf(
    leaves.filter((leaf) => !isAtPlace(leaf)),
    order,
  )
  // The place of the object is one of the field sets that are in order.
  const rank = ({ first }: Step): number => ORDER.findIndex((key) => first.startsWith(`"${key}"`))
  const at = rest.findIndex((step) => rank(step) > rank(placed))
  return withMemos(at < 0 ? [...rest, placed] : [...rest.slice(0, at), placed, ...rest.slice(at)])
}

/** Texts of so many actions are kept. */
const MOST_ACTIONS = 64

interface Category {
  readonly types: readonly string[]
  readonly text: string
}

/** A function that writes `event`. An action nearly always has the same types: their text is kept. */
function categoriser<E>(ecs: EcsEventSpec<E>): (event: E) => string {
  const { action, type, duration, start, end } = ecs
  const known = new Map<string, Category>()
  return (event) => {
    const name = typeof action === 'string' ? action : action(event)
    const types = typeof type === 'function' ? type(event) : type
    let category = known.get(name)
    if (category === undefined || !isEqual(category.types, types)) {
      category = { types, text: flat(categorisation(ecs, name, types)) }
      if (known.size < MOST_ACTIONS) known.set(name, category)
    }
    const durationNs = duration?.(event)
    const text = durationNs === undefined ? category.text : `${category.text},"duration":${durationNs}`
    return start === undefined && end === undefined
      ? `${text}}`
      : `${text}${timeMember('start', start?.(event))}${timeMember('end', end?.(event))}}`
  }
}

function timeMember(key: string, timeNs: bigint | undefined): string {
  return timeNs === undefined ? '' : `,"${key}":"${isoTime(timeNs)}"`
}

function isEqual(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** `event` without its duration and end. */
function categorisation<E>(ecs: EcsEventSpec<E>, action: string, types: readonly string[]): string {
  const { kind = 'event', category, outcome, dataset } = ecs
  const members =
    str('action', action) +
    str('kind', kind) +
    strs('category', category) +
    strs('type', types) +
    str('outcome', outcome) +
    str('module', 'quark') +
    str('dataset', dataset)
  return `,"event":{${members.slice(1)}`
}
