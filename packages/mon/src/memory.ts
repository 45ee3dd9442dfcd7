import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Gives back what opening took: the kernel's types, generated code, texts of /proc. Takes some milliseconds. Not
 * within the call that opened: what a weak reference was just made to lives as long as that.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // Memory outside of the heap goes with the second round.
  collect()
  collect()
}
