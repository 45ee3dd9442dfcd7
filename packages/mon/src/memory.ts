import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Lets the engine keep its young generation small. A monitor makes the same garbage for as long as it runs, and
 * the engine would answer a storm of processes with tens of megabytes that it gives back late.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}

/** Gives back what opening took: the kernel's types, generated code, texts of /proc. Takes some milliseconds. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // Memory outside of the heap goes with the second round.
  collect()
  collect()
}
