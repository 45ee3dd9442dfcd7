/** Makes the filters of a queue of its options. */

import { UserNames } from './context/users.js'
import { OptionError } from './errors.js'
import type { EventSpec } from './event/spec.js'
import { changingKinds, KernelRules, ruledRecords } from './kernel-rules.js'
import type { SourceClock } from './facts/rungs.js'
import type { Catalogue } from './kinds/catalogue.js'
import { Ruling } from './process/ruled/ruling.js'
import { Tracking } from './process/tracked/tracking.js'
import { RuleEngine } from './rules/engine.js'
import type { RuleSet } from './rules/rule-set.js'
import { RuledFilter } from './ruled-filter.js'
import { Filter } from './where/filter.js'
import { actionsIn, givenRoles, hasRole, ROLE_WORDS, valuesOf } from './where/options.js'
import type { Where } from './where/predicates.js'

/** The filters of a queue, and the trees that they follow or leave out. */
export interface Filters {
  readonly filter: Filter | RuledFilter
  readonly tracking: Tracking | undefined
  /** What programs leave out for rules; undefined if they write all records. */
  readonly ruling?: Ruling
  /** Why they write all, although there are rules. */
  readonly unruled?: string
}

/**
 * The filters of a queue; undefined if everything is delivered.
 *
 * @param clock of this machine, if events come from it: what it cannot have is an error then
 * @param isRedacted they come from a recording in which secrets are replaced
 * @throws {OptionError} for users that there are not, and for kinds of events that the options leave out
 */
export function filtersOf(
  catalogue: Catalogue,
  settings: object,
  clock?: Pick<SourceClock, 'bootNowNs'>,
  isRedacted = false,
): Filters | undefined {
  const { events } = catalogue
  const isLive = clock !== undefined
  const { where, excludePids, rules } = settings as {
    where?: Where
    excludePids?: readonly number[]
    rules?: RuleSet
  }
  const given = Object.values(where ?? {}).filter((value) => value !== undefined && value !== false)
  if (given.length === 0 && excludePids === undefined && rules === undefined) return undefined
  const roots = where?.treeOf === undefined ? [] : valuesOf(where.treeOf)
  const unruled = rules === undefined || !isLive ? undefined : whyUnruled(rules, settings)
  const mayLeaveOut = rules !== undefined && isLive && unruled === undefined && rules.closedTags().size > 0
  const isTracking = roots.length > 0 || excludePids !== undefined || mayLeaveOut
  const tracking = isTracking ? new Tracking({ treeOf: roots, excludePids, mayLeaveOut }) : undefined
  if (isLive && where !== undefined) checkMade(where, events, settings)
  const users = new UserNames()
  const filter = new Filter(where ?? {}, {
    events,
    userId: (name) => users.userId(name),
    userNames: () => users.users(),
    tracking,
    isRedacted,
  })
  if (rules === undefined) return { filter, tracking }
  const engine = new RuleEngine(rules, isRedacted)
  if (mayLeaveOut) engine.leaving = (process) => tracking?.leaveOut(process)
  if (clock === undefined || unruled !== undefined)
    return {
      filter: new RuledFilter(engine, filter),
      tracking,
      ...(unruled === undefined ? {} : { unruled }),
    }
  const records = ruledRecords(catalogue)
  const ruling = new Ruling(records, () => clock.bootNowNs(), rules.endDrops() !== undefined)
  const kernel = new KernelRules(ruling, engine, {
    groups: records.events,
    changing: changingKinds(catalogue),
  })
  return { filter: new RuledFilter(engine, filter, kernel), tracking, ruling }
}

/** Why programs write the records of all events, although rules drop some. */
function whyUnruled(rules: RuleSet, settings: object): string | undefined {
  if ((settings as { record?: unknown }).record !== undefined)
    return 'a recording is to have all records: rules are asked about them in user space'
  const isAny = rules.explain().some(({ place }) => place === 'kernel')
  return isAny ? undefined : 'all rules are decided in user space (quark-mon rules explain says why)'
}

/** Refuses kinds of events, actions, and what only some events have, if none will come. */
function checkMade(where: Where, events: readonly EventSpec[], settings: object): void {
  const kinds = where.event === undefined ? undefined : valuesOf(where.event)
  const actions = where.action === undefined ? undefined : valuesOf(where.action)
  const roles = givenRoles(where)
  if (kinds === undefined && actions === undefined && roles.length === 0) return
  const needed = events
    .filter(({ kind }) => kinds === undefined || kinds.includes(kind))
    .filter((spec) => actions === undefined || actionsIn(spec).some((one) => actions.includes(one)))
    .filter((spec) => roles.every(([, role]) => hasRole(spec, role)))
    .map(({ madeWith }) => madeWith)
  const isMade = (option: string | undefined): boolean => {
    // A switch may have a value, such as a list of places.
    const value = option === undefined || (settings as Readonly<Record<string, unknown>>)[option]
    return value !== undefined && value !== false
  }
  if (needed.some(isMade)) return
  const whats = [
    ...(kinds === undefined ? [] : [`of ${kinds.join(' or ')}`]),
    ...(actions === undefined ? [] : [`with ${actions.join(' or ')}`]),
    ...roles.map(([, role]) => `with ${ROLE_WORDS[role]}`),
  ]
  const given = kinds !== undefined ? 'event' : actions !== undefined ? 'action' : roles[0]?.[0]
  const advice =
    needed.length === 0 ? 'leave one of them out' : `set "${[...new Set(needed)].join('" or "')}" too`
  throw new OptionError(
    `where.${given as string}`,
    `No event ${whats.join(' and ')} will be made: ${advice}`,
    advice,
  )
}

/** Whether the process of a record of a scan is one of which other records may come. */
export function isKnown(bytes: Uint8Array, { recordTypes }: Catalogue, tracking: Tracking): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const type = view.getUint16(0, true)
  const at = recordTypes.find(({ layout }) => layout.type === type)?.layout.at['pid']
  return at === undefined || tracking.isKnown(view.getUint32(at, true))
}

/** Why the kernel leaves nothing out. */
export function notInKernel(backend: string): string {
  return `the backend ${backend} has no programs that could ask which processes to leave out: their records come, and are filtered later`
}
