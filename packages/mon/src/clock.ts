/** ms of a monotonic clock. Not `performance.now()`, whose first call takes milliseconds of loading. */
export function monotonicMs(): number {
  const [seconds, ns] = process.hrtime()
  return seconds * 1e3 + ns / 1e6
}
