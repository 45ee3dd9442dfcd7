/** The clocks of a time namespace. */

import { readLatin1 } from './read.js'

/**
 * How much later CLOCK_BOOTTIME is in the time namespace of this process than in the initial one, ns. By so much starts in
 * its /proc differ from those that the kernel reports.
 */
export function bootOffsetNs(procPath = '/proc'): bigint {
  // Linux 5.5. The namespace of children is another one only after unshare(2).
  return parseBootOffset(readLatin1(`${procPath}/self/timens_offsets`) ?? '')
}

/** The offset in time_namespaces(7): a line of a clock, seconds and ns; 0 if there is none. */
export function parseBootOffset(text: string): bigint {
  const match = /^(?:boottime|7) +(-?\d{1,18}) +(\d{1,9})$/m.exec(text)
  return match === null ? 0n : BigInt(match[1] as string) * 1_000_000_000n + BigInt(match[2] as string)
}
