/**
 * How long records are held, by the fullness of the buffer: all of `holdMs` below a tenth, falling until nine
 * tenths, then not at all, so that a burst is delivered sooner instead of lost.
 *
 * @param length records held, at most `maxLength`
 * @returns ms
 */
export function holdTimeMs(length: number, maxLength: number, holdMs: number): number {
  const tenth = Math.floor(maxLength / 10)
  if (holdMs <= 0 || length >= tenth * 9) return 0
  if (length < tenth) return holdMs
  const fallen =
    maxLength > holdMs
      ? Math.floor(length / Math.floor(maxLength / holdMs))
      : length * Math.floor(holdMs / maxLength)
  return Math.max(0, holdMs - fallen + 1)
}
