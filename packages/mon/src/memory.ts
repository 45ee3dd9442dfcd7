import { releaseMemory } from 'quark'

/** What opening took is given back when the first events are out. */
const FIRST_AFTER_MS = 1000
/** Longer than ended processes are kept. */
const QUIET_MS = 5000
/** Fewer records in that time are no load. */
const QUIET_RECORDS = 500
/** Less is not worth the time. */
const WORTH_BYTES = 8 << 20

interface Memory {
  rssBytes(): number
  release(): void
}

const PROCESS_MEMORY: Memory = { rssBytes: () => process.memoryUsage.rss(), release: releaseMemory }

/**
 * Gives memory back when it is not needed any more: what opening took, and after a load what that took. The engine
 * by itself waits for more garbage, which in a quiet time does not come.
 *
 * @param records how many records there were so far
 * @returns ends it
 */
export function tidyMemory(records: () => number, memory: Memory = PROCESS_MEMORY): () => void {
  let leastBytes = Number.POSITIVE_INFINITY
  let before = 0
  const tidy = (): void => {
    memory.release()
    leastBytes = Math.min(leastBytes, memory.rssBytes())
  }
  const first = setTimeout(tidy, FIRST_AFTER_MS).unref()
  const look = setInterval(() => {
    const now = records()
    const isQuiet = now - before < QUIET_RECORDS
    before = now
    if (isQuiet && memory.rssBytes() > leastBytes + WORTH_BYTES) tidy()
  }, QUIET_MS).unref()
  return () => {
    clearTimeout(first)
    clearInterval(look)
  }
}
