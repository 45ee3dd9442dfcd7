/** The tables of all kinds, put together. */

import type { CgroupPaths, KindTable } from '../event/table.js'
import type { Redaction } from '../event/redaction.js'
import type { TimeBase } from '../event/time-base.js'
import { Names } from '../names/names.js'
import type { PlaceDetails } from '../process/details.js'
import { ProcessTable } from '../process/table.js'
import type { EventFilter, Kind, TableContext, Tables } from './kind.js'

/** The tables of some kinds. */
export class World implements Tables {
  readonly filter: EventFilter | undefined
  readonly redaction: Redaction | undefined
  readonly timeBase: TimeBase
  readonly settings: Readonly<Record<string, unknown>>
  readonly processes: ProcessTable
  readonly cgroups: CgroupPaths
  readonly places: PlaceDetails
  readonly names: Names
  readonly all: ReadonlyMap<string, KindTable>

  /** `all` are the tables by the names of their kinds; without one of processes or cgroups, none are known. */
  constructor(
    context: Pick<TableContext, 'timeBase' | 'settings' | 'filter' | 'redaction'>,
    all: ReadonlyMap<string, KindTable>,
  ) {
    this.filter = context.filter
    this.redaction = context.redaction
    this.timeBase = context.timeBase
    this.settings = context.settings as unknown as Readonly<Record<string, unknown>>
    this.all = all
    const names = all.get(NAMES)
    this.names = names instanceof Names ? names : new Names()
    const processes = all.get('process')
    this.processes =
      processes instanceof ProcessTable ? processes : new ProcessTable(NO_PROCESSES, context.timeBase)
    this.cgroups =
      (all.get('cgroup') as (KindTable & Partial<CgroupPaths>) | undefined)?.pathOf === undefined
        ? NO_CGROUPS
        : (all.get('cgroup') as KindTable & CgroupPaths)
    const places = all.get('container') as (KindTable & Partial<PlaceDetails>) | undefined
    this.places = places?.placeOf === undefined ? NO_PLACES : (places as KindTable & PlaceDetails)
  }

  table<T extends KindTable>(kind: string): T {
    const table = this.all.get(kind)
    if (table === undefined) throw new RangeError(`Kind "${kind}" has no table`)
    return table as T
  }
}

/** The table that no kind makes, as several share it. */
const NAMES = 'names'
const NO_PROCESSES = { graceMs: 0, maxProcesses: 1 }
const NO_CGROUPS: CgroupPaths = { pathOf: () => undefined }
const NO_PLACES: PlaceDetails = { placeOf: () => undefined }

/** Makes the tables of kinds. */
export function worldOf(kinds: readonly Kind[], context: TableContext): World {
  const tables = new Map<string, KindTable>()
  for (const kind of kinds) {
    const table = kind.table?.(context)
    if (table !== undefined) tables.set(kind.name, table)
  }
  tables.set(NAMES, new Names())
  return new World(context, tables)
}
