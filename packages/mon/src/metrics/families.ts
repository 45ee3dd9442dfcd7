/** The metrics of a run. Their labels are words of this project and of its options: never what processes chose. */

import { getHeapStatistics } from 'node:v8'
import type { Capabilities, QuarkStats } from 'quark-telemetry'

/** What the metrics are made of. */
export interface MetricsSource {
  readonly version: string
  /** Events that were taken, by kind. */
  readonly events: ReadonlyMap<string, number>
  /** Age of the latest event when it was taken; unknown before the first one, and of a replay. */
  readonly lagMs: number | undefined
  /** Lines that wait for the reader. */
  readonly waitingLines: number
  /** The open queue; not there while it is being opened. */
  readonly queue:
    | {
        readonly capabilities: Pick<Capabilities, 'backend' | 'kernel' | 'attached' | 'missing'>
        stats(): QuarkStats
      }
    | undefined
  readonly startMs: number
  residentBytes(): number | undefined
}

/** Numbers of one kind, each with its labels. */
export interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly labels: readonly string[]
  /** Values by labels, in the order of those. */
  values(source: MetricsSource, stats: QuarkStats | undefined): readonly Sample[]
}

/** A value, and its labels in the order of the family's. */
export type Sample = readonly [value: number | undefined, ...labels: string[]]

function family(
  type: Family['type'],
  name: string,
  help: string,
  labels: readonly string[],
  values: Family['values'],
): Family {
  return { type, name, help, labels, values }
}

function byName(counts: Readonly<Record<string, number>> | undefined): Sample[] {
  return Object.entries(counts ?? {}).map(([name, count]) => [count, name])
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}

/** All metrics, in the order in which they are served. */
export const FAMILIES: readonly Family[] = [
  family(
    'gauge',
    'quark_info',
    'Version, backend and kernel; always 1',
    ['version', 'backend', 'kernel'],
    ({ version, queue }) =>
      queue === undefined ? [] : [[1, version, queue.capabilities.backend, queue.capabilities.kernel]],
  ),
  family(
    'gauge',
    'quark_fact_attached',
    'Whether a fact is learnt: 1, or 0 where it is missing',
    ['fact'],
    ({ queue }) => {
      if (queue === undefined) return []
      const facts = new Map(queue.capabilities.attached.map(({ fact }) => [fact, 1]))
      for (const { fact } of queue.capabilities.missing) facts.set(fact, 0)
      return [...facts].map(([fact, value]) => [value, fact])
    },
  ),
  family('counter', 'quark_events', 'Events that were taken, by kind', ['kind'], ({ events }) =>
    [...events].map(([kind, count]) => [count, kind]),
  ),
  family('counter', 'quark_events_filtered', 'Events that the filters left out', [], (_, stats) => [
    [stats?.filtered],
  ]),
  family(
    'counter',
    'quark_processes_untracked',
    'Processes of followed or excluded trees that found no room in the set of the kernel',
    [],
    (_, stats) => [[stats?.untracked]],
  ),
  family(
    'counter',
    'quark_records',
    'Records that the backend made, lost ones included',
    ['record'],
    (_, stats) => byName(stats?.produced),
  ),
  family('counter', 'quark_records_lost', 'Records that were lost, by cause', ['cause'], (_, stats) =>
    stats === undefined
      ? []
      : [
          [sum(stats.lostRingFull), 'ringFull'],
          [stats.lostRejected, 'rejected'],
          [stats.lostRecursion, 'recursion'],
          [stats.lostUnseen, 'unseen'],
        ],
  ),
  family(
    'counter',
    'quark_records_ring_full',
    'Records that found the ring full, by record',
    ['record'],
    (_, stats) => byName(stats?.lostRingFull),
  ),
  family(
    'counter',
    'quark_records_shortened',
    'Records without most of their strings, as the user who made them was filling the ring',
    [],
    (_, stats) => [[stats?.shortened]],
  ),
  family(
    'counter',
    'quark_records_unenriched',
    'Records that lack facts, as their process had ended before it could be looked up',
    [],
    (_, stats) => [[stats?.unenriched]],
  ),
  family('counter', 'quark_strings_cut', 'Strings that were cut at their limit', ['string'], (_, stats) =>
    stats === undefined
      ? []
      : [
          [stats.truncatedArgv, 'argv'],
          [stats.truncatedEnv, 'env'],
          [stats.truncatedPaths, 'path'],
        ],
  ),
  family(
    'gauge',
    'quark_records_held',
    'Records that are held for ordering and aggregation',
    [],
    (_, stats) => [[stats?.buffered]],
  ),
  family(
    'gauge',
    'quark_lag_seconds',
    'Age of the latest event when it was taken, the time that it was held included',
    [],
    ({ lagMs }) => [[lagMs === undefined ? undefined : lagMs / 1000]],
  ),
  family(
    'gauge',
    'quark_lines_waiting',
    'Lines that wait for whoever reads the output',
    [],
    ({ waitingLines }) => [[waitingLines]],
  ),
  family('gauge', 'quark_processes', 'Processes in the table', [], (_, stats) => [[stats?.processes]]),
  family('gauge', 'quark_table_bytes', 'Memory of the processes in the table', [], (_, stats) => [
    [stats?.tableBytes],
  ]),
  family(
    'counter',
    'quark_processes_evicted',
    'Processes that left the table before their time, as there were too many or they were too large',
    ['limit'],
    (_, stats) =>
      stats === undefined
        ? []
        : [
            [stats.evicted - stats.evictedForBytes, 'count'],
            [stats.evictedForBytes, 'bytes'],
          ],
  ),
  family(
    'counter',
    'quark_processes_cut',
    'Processes whose strings were cut in the table',
    [],
    (_, stats) => [[stats?.cutProcesses]],
  ),
  family(
    'gauge',
    'quark_table_stat',
    'Counters of the tables of other kinds',
    ['table', 'counter'],
    (_, stats) =>
      Object.entries(stats?.tables ?? {}).flatMap(([table, counters]) =>
        Object.entries(counters).map(([counter, count]): Sample => [count, table, counter]),
      ),
  ),
  family('gauge', 'process_resident_memory_bytes', 'Resident memory', [], ({ residentBytes }) => [
    [residentBytes()],
  ]),
  family('gauge', 'process_heap_bytes', 'Memory of the engine: its heap, and what belongs to it', [], () => {
    const { total_physical_size: heapBytes, external_memory: externalBytes } = getHeapStatistics()
    return [[heapBytes + externalBytes]]
  }),
  family('counter', 'process_cpu_seconds', 'CPU time that this process used', ['mode'], () => {
    const { user, system } = process.cpuUsage()
    return [
      [user / 1e6, 'user'],
      [system / 1e6, 'system'],
    ]
  }),
  family('gauge', 'process_start_time_seconds', 'When this process began', [], ({ startMs }) => [
    [startMs / 1000],
  ]),
]
