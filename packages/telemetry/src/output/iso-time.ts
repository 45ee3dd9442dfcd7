const NS_PER_SECOND = 1_000_000_000n
const NO_TIME = -1n

// A date is costly to format, and nearly all times are of the last seconds: remember some by their low bits.
const REMEMBERED = 64
const seconds = new Float64Array(REMEMBERED).fill(-1)
const prefixes = new Array<string>(REMEMBERED).fill('')

// An event that begins a process has the time of its start, and a second has many events.
let lastTime = NO_TIME
let lastText = ''
let secondStart = NO_TIME
let secondEnd = NO_TIME
let prefix = ''

/** UTC time with all nine digits of the ns, `2026-01-02T03:04:05.000000006Z`, of epoch ns (u64). */
export function isoTime(timeNs: bigint): string {
  if (timeNs === lastTime) return lastText
  let time = timeNs
  if (timeNs < secondStart || timeNs >= secondEnd) {
    time = BigInt.asUintN(64, timeNs)
    beginSecond(time)
  }
  const ns = Number(time - secondStart)
  lastTime = timeNs
  lastText = `${prefix}${ns >= 100_000_000 ? ns : String(ns).padStart(9, '0')}Z`
  return lastText
}

function beginSecond(time: bigint): void {
  const second = Number(time / NS_PER_SECOND)
  secondStart = BigInt(second) * NS_PER_SECOND
  secondEnd = secondStart + NS_PER_SECOND
  const slot = second % REMEMBERED
  if (seconds[slot] !== second) {
    seconds[slot] = second
    prefixes[slot] = new Date(second * 1000).toISOString().slice(0, 'YYYY-MM-DDTHH:MM:SS.'.length)
  }
  prefix = prefixes[slot] as string
}
