import type { Line } from './line.js'

/** A function that writes events of type `E` as lines, without line ends. */
export interface LineWriter<E, O = never> {
  (event: E, options?: O): string
  /** How many lines were longer than the limit, and cut. */
  readonly truncatedLines: number
}

/** A writer whose lines are bounded. `write` writes into the line. */
export function lineWriter<E, O = never>(
  line: Line,
  write: (event: E, options?: O) => string,
): LineWriter<E, O> {
  const writer = (event: E, options?: O): string => {
    line.begin()
    const text = write(event, options)
    return line.fits(text) ? text : line.cut(() => write(event, options))
  }
  return Object.defineProperty(writer, 'truncatedLines', {
    enumerable: true,
    get: () => line.truncatedLines,
  }) as LineWriter<E, O>
}
