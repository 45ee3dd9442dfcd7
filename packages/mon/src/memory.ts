import { getHeapStatistics } from 'node:v8'
import { releaseMemory } from 'quark-telemetry'

/** What opening took is given back when the first events are out. */
const FIRST_AFTER_MS = 1000
const CHECK_MS = 1000
/** Fewer records between two checks are no load. */
const QUIET_RECORDS = 100
/** Less is not worth the time. */
const WORTH_BYTES = 8 << 20

interface Memory {
  usedBytes(): number
  release(): void
}

/** Resident memory; where it cannot be read, as with -D, which leaves no /proc, that of the engine: most of it. */
export function usedBytes(): number {
  try {
    return process.memoryUsage.rss()
  } catch {
    const { total_physical_size: heapBytes, external_memory: externalBytes } = getHeapStatistics()
    return heapBytes + externalBytes
  }
}

/**
 * Gives memory back when it is not needed any more: what opening took, and after a load what that took. The engine
 * by itself waits for more garbage, which in a quiet time does not come.
 *
 * @param records how many records there were so far
 * @returns ends it
 */
export function tidyMemory(
  records: () => number,
  memory: Memory = { usedBytes, release: releaseMemory },
): () => void {
  let leastBytes = Number.POSITIVE_INFINITY
  let before = 0
  let quietChecks = 0
  const tidy = (): void => {
    memory.release()
    leastBytes = Math.min(leastBytes, memory.usedBytes())
  }
  const first = setTimeout(tidy, FIRST_AFTER_MS).unref()
  const timer = setInterval(() => {
    const now = records()
    quietChecks = now - before < QUIET_RECORDS ? quietChecks + 1 : 0
    before = now
    // Garbage can go at once, and processes that ended some seconds later. What then still stays is in use.
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
