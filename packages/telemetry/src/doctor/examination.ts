/** The result of examining a machine: data for a report, with no text that only fits a terminal. */

import type { AttachedFact, MissingFact } from '../facts/fact.js'

/** The topics of findings, in the order of a report. */
export const TOPICS = ['machine', 'rights', 'namespaces', 'files', 'features', 'backends'] as const

/** One of `TOPICS`. */
export type Topic = (typeof TOPICS)[number]

/**
 * `ok`: as it should be. `problem`: a default run lacks something because of it. `absent`: not there, and a default
 * run does without. `unknown`: it cannot be found out with the rights of this process. `note`: for information only.
 */
export type Verdict = 'ok' | 'problem' | 'absent' | 'unknown' | 'note'

/** One thing that was examined. */
export interface Finding {
  readonly topic: Topic
  readonly name: string
  readonly verdict: Verdict
  /** What was found. */
  readonly found: string
  /** Further lines about it. */
  readonly details?: readonly string[]
  /** What cannot be learnt because of it: facts of `Capabilities`, or words for what else suffers. */
  readonly costs: readonly string[]
  /** What to do about it: a command where there is one. */
  readonly fix?: string
}

/** Something to do. */
export interface Step {
  /** A command where there is one. */
  readonly fix: string
  /** Names of the findings that it is about. */
  readonly about: readonly string[]
}

/** The result of opening one backend alone. */
export interface BackendTrial {
  readonly backend: string
  readonly outcome: 'works' | 'fails' | 'notTried'
  /** Empty unless it works. */
  readonly attached: readonly AttachedFact[]
  readonly missing: readonly MissingFact[]
  /** Why it does not work, or was not tried. */
  readonly reason?: string
}

/** What quark can learn on this machine, and what prevents the rest. */
export interface Examination {
  readonly kernel: string
  readonly architecture: string
  /** Whether a queue that is opened with default options would learn every fact. */
  readonly complete: boolean
  /** The backend of such a queue; absent when none works, or when one that was not tried comes first. */
  readonly backend?: string
  /** What follows, in a sentence. */
  readonly conclusion: string
  /** What a default run would lack: facts of `Capabilities`, or words for what else suffers. */
  readonly misses: readonly string[]
  /** What to do about it, in order; each once. */
  readonly steps: readonly Step[]
  readonly findings: readonly Finding[]
  readonly trials: readonly BackendTrial[]
}
