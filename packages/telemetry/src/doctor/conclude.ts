/** What follows from findings: the conclusion, and what to do. */

import type { BackendTrial, Examination, Finding, Step } from './examination.js'

/** What an examination concludes. */
export type Conclusion = Pick<Examination, 'complete' | 'conclusion' | 'misses' | 'steps'>

/**
 * What follows for a queue that is opened with default options.
 *
 * @param chosen its backend, if one is known to work
 */
export function conclude(
  findings: readonly Finding[],
  trials: readonly BackendTrial[],
  chosen: BackendTrial | undefined,
): Conclusion {
  const problems = findings.filter(({ verdict }) => verdict === 'problem')
  const misses = [...new Set(problems.flatMap(({ costs }) => costs))]
  const complete = chosen !== undefined && problems.length === 0
  return {
    complete,
    conclusion: sentence(complete, chosen?.backend, trials, misses),
    misses,
    steps: stepsOf(problems),
  }
}

function sentence(
  complete: boolean,
  backend: string | undefined,
  trials: readonly BackendTrial[],
  misses: readonly string[],
): string {
  if (complete) return `A default run would be complete, with the backend ${backend}.`
  const without = misses.length === 0 ? '' : `, without ${misses.join(', ')}`
  if (backend !== undefined)
    return `A default run would not be complete: with the backend ${backend}${without}.`
  const untried = trials.filter(({ outcome }) => outcome === 'notTried').map(({ backend }) => backend)
  if (untried.length === 0) return 'A default run would not work: no backend does.'
  return `A default run would not work: of the backends none does, and ${untried.join(', ')} was not tried.`
}

function stepsOf(problems: readonly Finding[]): Step[] {
  const steps = new Map<string, string[]>()
  for (const { fix, name } of problems) {
    if (fix !== undefined) steps.set(fix, [...(steps.get(fix) ?? []), name])
  }
  return [...steps].map(([fix, about]) => ({ fix, about }))
}
