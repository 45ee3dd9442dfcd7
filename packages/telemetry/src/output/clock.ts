/** Times of day for people. The text of a second is kept, as most events have that of the one before. */

const NS_PER_SECOND = 1_000_000_000n

/** A clock of one time zone. */
export class Clock {
  readonly #format: Intl.DateTimeFormat | undefined
  #secondStart = -1n
  #secondEnd = -1n
  #date = ''
  #time = ''

  /**
   * @param timeZone as in the database of time zones: `UTC`, `Europe/Berlin`; by default that of the machine
   * @throws {RangeError} when there is no such zone
   */
  constructor(timeZone?: string) {
    this.#format =
      timeZone === undefined
        ? undefined
        : new Intl.DateTimeFormat('en-CA', {
            timeZone,
            hourCycle: 'h23',
            year: 'numeric',
            month: '2-digit',
            day: '2-digit',
            hour: '2-digit',
            minute: '2-digit',
            second: '2-digit',
          })
  }

  /** `14:03:59.123`, of epoch ns. */
  time(timeNs: bigint): string {
    if (timeNs < this.#secondStart || timeNs >= this.#secondEnd) this.#begin(timeNs)
    return this.#time + (MILLISECONDS[Math.trunc(Number(timeNs - this.#secondStart) / 1e6)] as string)
  }

  /** `2026-01-31`. */
  date(timeNs: bigint): string {
    if (timeNs < this.#secondStart || timeNs >= this.#secondEnd) this.#begin(timeNs)
    return this.#date
  }

  #begin(timeNs: bigint): void {
    // Of a time before 1970, too.
    const past = ((timeNs % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND
    this.#secondStart = timeNs - past
    this.#secondEnd = this.#secondStart + NS_PER_SECOND
    const date = new Date(Number(this.#secondStart / NS_PER_SECOND) * 1000)
    if (this.#format === undefined) {
      this.#date = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
      this.#time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.`
    } else {
      const [day = '', time = ''] = this.#format.format(date).split(', ')
      this.#date = day
      this.#time = `${time}.`
    }
  }
}

const MILLISECONDS = Array.from({ length: 1000 }, (_, ms) => `${ms}`.padStart(3, '0'))

function two(number: number): string {
  return number < 10 ? `0${number}` : `${number}`
}
