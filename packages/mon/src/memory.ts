import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8'
import { releaseMemory } from 'quark-telemetry'

/** When memory that opening needed is first released. */
const FIRST_AFTER_MS = 1000
const CHECK_MS = 1000
/** A check with fewer new records counts as quiet. */
const QUIET_RECORDS = 100
/** Less excess memory is not worth a collection. */
const WORTH_BYTES = 8 << 20

/**
 * Size of the young generation up to which it grows under load. The engine begins with 1 MB, so that it collects several
 * times for each batch of a storm, and would grow to 32.
 */
const YOUNG_BYTES = 4 << 20
/**
 * The same where one command is watched, which waits for its CPUs: most of what is kept of it until the report survives, and
 * would be copied once more at each of four times as many collections.
 */
const YOUNG_OF_COMMAND_BYTES = 16 << 20

/** The engine's young generation. */
interface Young {
  sizeBytes(): number
  /** Sets how much larger it becomes when much of it survives. */
  setGrowth(factor: number): void
}

const engine: Young = {
  sizeBytes: () =>
    getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? Infinity,
  setGrowth: (factor) => setFlagsFromString(`--semi-space-growth-factor=${factor}`),
}

/**
 * Lets the young generation grow up to a size.
 *
 * @returns to be called every second or so
 */
export function growYoung(young: Young = engine, mostBytes = YOUNG_BYTES): () => void {
  let before = 1
  return () => {
    const factor = young.sizeBytes() < mostBytes ? 2 : 1
    if (factor !== before) young.setGrowth(factor)
    before = factor
  }
}

/** Does so each second, until what it returns is called. */
export function growYoungEachSecond(): () => void {
  const timer = setInterval(growYoung(), CHECK_MS).unref()
  return () => clearInterval(timer)
}

interface Memory {
  usedBytes(): number
  release(): void
}

/** Resident memory; if it cannot be read, as with -D, which leaves no /proc, the engine's, which is most of it. */
export function usedBytes(): number {
  try {
    return process.memoryUsage.rss()
  } catch {
    const { total_physical_size: heapBytes, external_memory: externalBytes } = getHeapStatistics()
    return heapBytes + externalBytes
  }
}

/**
 * Lets the young generation grow while a command is watched, from the beginning. What opening needed is left to the engine:
 * releasing it takes as long as following some hundred processes.
 *
 * @returns ends it
 */
export function growForCommand(young: Young = engine): () => void {
  const grow = growYoung(young, YOUNG_OF_COMMAND_BYTES)
  grow()
  const timer = setInterval(grow, CHECK_MS).unref()
  return () => clearInterval(timer)
}

/**
 * Releases memory after opening, and after each load. The engine by itself collects only when more garbage comes,
 * which in a quiet time it does not.
 *
 * @param records how many records there were so far
 * @returns ends it
 */
export function tidyMemory(
  records: () => number,
  memory: Memory = { usedBytes, release: releaseMemory },
): () => void {
  const grow = growYoung()
  let leastBytes = Number.POSITIVE_INFINITY
  let before = 0
  let quietChecks = 0
  const tidy = (): void => {
    memory.release()
    leastBytes = Math.min(leastBytes, memory.usedBytes())
  }
  const first = setTimeout(tidy, FIRST_AFTER_MS).unref()
  const timer = setInterval(() => {
    grow()
    const now = records()
    quietChecks = now - before < QUIET_RECORDS ? quietChecks + 1 : 0
    before = now
    // Garbage is freed at once, ended processes some seconds later. What remains then is in use.
    if (isPowerOfTwo(quietChecks) && memory.usedBytes() > leastBytes + WORTH_BYTES) tidy()
  }, CHECK_MS).unref()
  return () => {
    clearTimeout(first)
    clearInterval(timer)
  }
}

function isPowerOfTwo(count: number): boolean {
  return count > 0 && (count & (count - 1)) === 0
}
