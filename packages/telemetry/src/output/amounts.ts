/** Amounts for people: three digits, and the unit. */

/** Nanoseconds: `850us`, `1.25ms`, `2.50s`, `3m05s`, `2h10m`, `4d01h`. */
export function durationText(ns: number): string {
  const us = ns / 1000
  if (us < 999.5) return `${us < 1 && us > 0 ? '<1' : Math.round(us)}us`
  if (us < 999_500) return `${three(us / 1000)}ms`
  const seconds = us / 1_000_000
  if (seconds < 59.95) return `${three(seconds)}s`
  const whole = Math.round(seconds)
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`
  const minutes = Math.floor(whole / 60)
  if (minutes < 1440) return `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`
  const hours = Math.floor(minutes / 60)
  return `${Math.floor(hours / 24)}d${two(hours % 24)}h`
}

const UNITS = ['B', 'K', 'M', 'G', 'T', 'P', 'E']

/** Bytes: `512B`, `3.41M`. */
export function bytesText(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 ? value : three(value)}${UNITS[unit] as string}`
}

/** Three digits of a number below 1,000. */
function three(value: number): string {
  return value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0)
}

function two(number: number): string {
  return number < 10 ? `0${number}` : `${number}`
}

/** A whole number with commas between thousands, whatever the locale. */
export function countText(count: number): string {
  return `${count}`.replace(/\B(?=(\d{3})+$)/g, ',')
}
