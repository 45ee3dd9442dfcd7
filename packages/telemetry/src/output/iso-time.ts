const NS_PER_SECOND = 1_000_000_000n

// A date is costly to format, and nearly all times are of the last seconds: remember some by their low bits.
const REMEMBERED = 64
const seconds = new Float64Array(REMEMBERED).fill(-1)
const prefixes = new Array<string>(REMEMBERED).fill('')

/** UTC time with all nine digits of the ns, `2026-01-02T03:04:05.000000006Z`, of epoch ns (u64). */
export function isoTime(timeNs: bigint): string {
  const time = BigInt.asUintN(64, timeNs)
  const second = Number(time / NS_PER_SECOND)
  const slot = second % REMEMBERED
  if (seconds[slot] !== second) {
    seconds[slot] = second
    prefixes[slot] = new Date(second * 1000).toISOString().slice(0, 'YYYY-MM-DDTHH:MM:SS.'.length)
  }
  return `${prefixes[slot]}${String(time % NS_PER_SECOND).padStart(9, '0')}Z`
}
