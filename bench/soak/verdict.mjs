/** Whether samples of a long run are flat. */
import { median } from '../measure.mjs'

/** The part of a run that does not count: tables and caches fill up. */
export const WARM_UP_SHARE = 0.25

/**
 * What may be found over all that was measured after the warm-up: the growth by the fitted line, as a share of the
 * median or as a number, whichever is larger; and the most that any sample may be.
 */
export const LIMITS = {
  rssMb: { share: 0.05, growth: 4, most: 256 },
  heapMb: { share: 0.1, growth: 4 },
  descriptors: { share: 0, growth: 0.5 },
  mappings: { share: 0.02, growth: 4 },
}

/** A line through samples that outliers do not move (Theil and Sen): the median of the slopes of all pairs. */
export function robustFit(points) {
  const slopes = []
  for (let i = 0; i < points.length; i++) {
    for (let j = i + 1; j < points.length; j++) {
      const [x0, y0] = points[i]
      const [x1, y1] = points[j]
      if (x1 > x0) slopes.push((y1 - y0) / (x1 - x0))
    }
  }
  const slope = slopes.length === 0 ? 0 : median(slopes)
  return { slope, intercept: median(points.map(([x, y]) => y - slope * x)) }
}

/** One line for each column of a process. */
export function verdicts(name, samples) {
  const lastSeconds = samples.at(-1).seconds
  const after = samples.filter(({ seconds }) => seconds >= lastSeconds * WARM_UP_SHARE)
  return Object.entries(LIMITS).map(([column, { share, growth: least, most }]) => {
    const points = after
      .map((sample) => [sample.seconds, sample[name][column]])
      .filter(([, value]) => Number.isFinite(value))
    const fit = robustFit(points)
    const growth = fit.slope * (points.at(-1)[0] - points[0][0])
    const middle = median(points.map(([, value]) => value))
    const limit = Math.max(least, middle * share)
    const top = Math.max(
      ...samples.map(({ [name]: row }) => row[`${column}Peak`] ?? row[column]).filter(Number.isFinite),
    )
    const isFlat = growth <= limit && !(top > most)
    return {
      isFlat,
      fit,
      text:
        `${isFlat ? 'flat' : 'NOT FLAT'}: ${name} ${column}: median ${middle.toFixed(1)}, fitted growth ` +
        `${growth.toFixed(2)} (limit ${limit.toFixed(2)}), most ${top.toFixed(1)}` +
        (most === undefined ? '' : ` (limit ${most})`),
    }
  })
}
