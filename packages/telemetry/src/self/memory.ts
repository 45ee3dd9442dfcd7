import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { trimMemory } from 'quark-ebpf'

/**
 * Collects garbage and returns the freed memory to the system, after opening or a load: the engine by itself collects
 * only when more garbage comes, which in a quiet time it does not. Blocks for 10 to 50 ms. To be called from a task of
 * its own: the target of a new weak reference lives as long as the current task.
 */
export function releaseMemory(): void {
  // Memory outside of the heap goes with the second round.
  collectGarbage()
  collectGarbage()
  trimMemory()
}

let collect: (() => void) | undefined

/** Collects garbage, which stops the process for 10 ms and more, by the size of its heap. */
export function collectGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  collect()
}
