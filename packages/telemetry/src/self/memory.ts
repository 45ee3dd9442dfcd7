import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { trimMemory } from 'quark-ebpf'

/**
 * Collects garbage and gives what was freed back to the system: after opening, or when a load is over, as the engine
 * by itself waits for more garbage, which in a quiet time does not come. Blocks for 10 to 50 ms. To be called from a
 * task of its own: what a weak reference was just made to lives as long as the task.
 */
export function releaseMemory(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // Memory outside of the heap goes with the second round.
  collect()
  collect()
  trimMemory()
}
