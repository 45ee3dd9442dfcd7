/** What a runtime of containers is asked. */

import type { ContainerRuntime } from '../../../process/container.js'
import type { Details, PodDetails } from '../details.js'

/** What a runtime says of a container, and of its pod if it is in one. */
export interface Answer {
  readonly container?: Details
  readonly pod?: PodDetails
}

/** A runtime that can be asked. Promises reject when it cannot be reached, is too slow, or answers nonsense. */
export interface Runtime {
  /** For messages: what it is and where. */
  readonly name: string
  /** Whether it may know containers that are of that runtime; undefined is one that is not known. */
  mayKnow(runtime: ContainerRuntime | undefined): boolean
  /** Ids of the containers that run. */
  list(signal: AbortSignal): Promise<readonly string[]>
  /** What it says of a container; undefined if it has none with that id. */
  describe(id: string, signal: AbortSignal): Promise<Answer | undefined>
  /** Calls `seen` with ids of containers that are made or change; ends when the runtime ends it. */
  watch?(seen: (id: string) => void, signal: AbortSignal): Promise<void>
  close(): void
}

/** Something that asks, or listens, until it is closed. */
export interface Asking {
  close(): void
}

/** A runtime could not be asked. */
export class RuntimeProblem extends Error {
  override readonly name = 'RuntimeProblem'
}

/** Longest time until an answer is complete. */
export const ANSWER_MS = 15_000
/** Longest answer: the description of a container has some KiB, a list of a thousand of them less than this. */
export const MAX_ANSWER_BYTES = 4 << 20
