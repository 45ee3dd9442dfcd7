import { monotonicMs } from '../clock.js'
import {
  type Capabilities,
  countText,
  durationText,
  type QuarkEvent,
  type QuarkOptions,
  type QuarkStats,
} from 'quark-telemetry'

const NS_PER_MS = 1e6
/** The fact that the kernel leaves out what does not belong to a tree. */
const IN_KERNEL = 'filtersInKernel'

/** What a run watches. */
export interface TallyContext {
  readonly capabilities: Capabilities
  readonly where: QuarkOptions['where']
}

/** Counts the processes that a run sees begin, for the sentence at its end. */
export class Tally {
  #beginMs = monotonicMs()
  #begun = 0

  /** Begins to measure the time. */
  begin(): void {
    this.#beginMs = monotonicMs()
  }

  /** Takes in an event. */
  readonly add = (event: QuarkEvent): void => {
    if (event.kind === 'process' && event.actions[0] === 'fork') this.#begun += 1
  }

  /** Whether all forks were seen that the programs in the kernel have counted. */
  isCaughtUp({ produced }: QuarkStats): boolean {
    return this.#begun > 0 && this.#begun === produced['fork']
  }

  /** What a run without a command saw, in a sentence. */
  text(stats: QuarkStats): string {
    return `quark-mon: ${processes(this.#begun)} began in ${this.#time()}; ${lossOf(stats)}\n`
  }

  /**
   * What a run with a command saw, in a sentence. The programs in the kernel count the forks of the command and its
   * descendants, whether or not there was room for their records.
   */
  treeText(stats: QuarkStats, context: TallyContext): string {
    const untracked =
      stats.untracked === 0
        ? ''
        : `; ${processes(stats.untracked)} too many to follow, and their descendants, are not counted`
    return `quark-mon: ${this.#seenText(stats, context)}; ${lossOf(stats)}${untracked}\n`
  }

  #seenText({ produced }: QuarkStats, { capabilities, where = {} }: TallyContext): string {
    const { backend, missing } = capabilities
    const isCounted = backend === 'ebpf' && !missing.some(({ fact }) => fact === IN_KERNEL)
    const seen = this.#begun
    const time = this.#time()
    if (!isCounted) {
      return `${processes(seen)} seen in ${time} (how many were created is not known: ${backend} does not count them)`
    }
    const created = produced['fork'] ?? 0
    // Other filters leave out some of what is seen.
    const isFiltered = Object.entries(where).some(([name, value]) => name !== 'treeOf' && value !== undefined)
    if (isFiltered) return `${processes(created)} created in ${time}, and ${countText(seen)} of them shown`
    if (created !== seen)
      return `${processes(created)} created in ${time}, and ${countText(seen)} of them seen`
    return `${processes(created)} created in ${time}, and ${created === 1 ? 'seen' : 'all seen'}`
  }

  #time(): string {
    return durationText((monotonicMs() - this.#beginMs) * NS_PER_MS)
  }
}

function processes(count: number): string {
  return `${countText(count)} ${count === 1 ? 'process' : 'processes'}`
}

function lossOf({ lost }: QuarkStats): string {
  if (lost === 0) return 'nothing was lost'
  return `${countText(lost)} ${lost === 1 ? 'record was' : 'records were'} lost`
}
