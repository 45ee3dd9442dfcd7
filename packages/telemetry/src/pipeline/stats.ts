import type { AttachedFact, MissingFact } from '../facts/fact.js'

/** Counters of one queue. All are totals since it was opened. */
export interface QuarkStats {
  readonly backend: string
  /** Records put into the buffer, and taken out of it again; those of the scan of /proc are among them. */
  readonly insertions: number
  readonly removals: number
  /** Records held now: insertions less removals. */
  readonly buffered: number
  /** Events that passed the filters, without those of losses, which always do; 0 without filters. */
  readonly matched: number
  /**
   * Events that the filters left out (`where`, `excludePids`). What the kernel leaves out is not among them: nothing of it
   * reaches quark.
   */
  readonly filtered: number
  /** Of these, that might have passed: a secret is gone from the recording about which a filter asks. */
  readonly undecided: number
  /** Processes of followed or excluded trees that found no room in the kernel's set: it takes 16,384. */
  readonly untracked: number
  /** Events made of several records, and of one. */
  readonly aggregations: number
  readonly nonAggregations: number
  /** Processes removed from the table after their grace time. */
  readonly garbageCollections: number
  /** Processes in the table now, ended ones within their grace time included. */
  readonly processes: number
  /** Records that the backend made, by record name, lost ones included; not those of the scan of /proc. */
  readonly produced: Readonly<Record<string, number>>
  /** Records that were lost: the sum of `lostRingFull`, `lostRejected`, `lostRecursion` and `lostUnseen`. */
  readonly lost: number
  /** Records that found the ring full, or what else they wait in, by record name; `unknown` where only their number is known. */
  readonly lostRingFull: Readonly<Record<string, number>>
  /** Those of them whose user is known, by the real uid of the process that ran. */
  readonly lostByUid: Readonly<Record<string, number>>
  /**
   * Records whose argv and environment were cut to a few words, since the user who made them was filling the ring; the
   * strings are marked as cut.
   */
  readonly shortened: number
  /** Records that could not be decoded. */
  readonly lostRejected: number
  /** Runs of a program that the kernel skipped because one was already running on that CPU. */
  readonly lostRecursion: number
  /** What the kernel counted, such as connections of this network namespace, and no record told of. */
  readonly lostUnseen: number
  /** Processes that were evicted from the table before their grace time ended. */
  readonly evicted: number
  /** Those of them that went since all together were larger than `maxTableBytes`. */
  readonly evictedForBytes: number
  /** Processes that were cut in the table as all together were larger than `maxTableBytes`: the longest strings first. */
  readonly cutProcesses: number
  /** Memory of the processes in the table now, as `maxTableBytes` counts it. */
  readonly tableBytes: number
  /** Records that lack facts since their process had ended before it could be looked up in /proc; eBPF needs none. */
  readonly unenriched: number
  /** Strings cut at their limit. */
  readonly truncatedArgv: number
  readonly truncatedEnv: number
  readonly truncatedPaths: number
  /** Records and other parts of a recording that this version does not know, by name. */
  readonly skipped: Readonly<Record<string, number>>
  /** Counters of the tables of other kinds, by kind. */
  readonly tables: Readonly<Record<string, Readonly<Record<string, number>>>>
}

/** Counters that are not totals: how much there is now. */
const CURRENT: ReadonlySet<string> = new Set(['buffered', 'processes', 'tableBytes', 'backend'])

/** The counters of two queues of which the second one followed the first. */
export function sumOf(before: QuarkStats, stats: QuarkStats): QuarkStats {
  return sum(before as unknown as Counters, stats as unknown as Counters) as unknown as QuarkStats
}

interface Counters {
  readonly [name: string]: string | number | Counters | undefined
}

function sum(before: Counters, after: Counters): Counters {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return Object.fromEntries(
    [...names].map((name) => {
      const [a, b] = [before[name], after[name]]
      if (CURRENT.has(name) || typeof b === 'string') return [name, b]
      if (typeof a === 'object' || typeof b === 'object')
        return [name, sum((a ?? {}) as Counters, (b ?? {}) as Counters)]
      return [name, ((a as number | undefined) ?? 0) + ((b as number | undefined) ?? 0)]
    }),
  )
}

/** Through which hook each fact is learnt on this machine, and which facts are missing. */
export interface Capabilities {
  readonly backend: string
  readonly kernel: string
  readonly attached: readonly AttachedFact[]
  readonly missing: readonly MissingFact[]
}

export type { AttachedFact, MissingFact }
