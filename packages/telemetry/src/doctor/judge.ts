/** Makes findings of readings. Pure, so that readings of any machine can be judged. */

import { BACKEND_NAMES, DEFAULT_BACKENDS } from '../options/declare.js'
import type { BackendTrial, Examination, Finding } from './examination.js'
import { conclude } from './conclude.js'
import { judgeFeatures } from './judge-features.js'
import { judgeFiles, judgeMachine, judgeNamespaces, judgeRights, UNLOCK } from './judge-machine.js'
import type { Readings } from './readings.js'

/** Judges a machine by its readings, for a queue that is opened with default options. */
export function judge(readings: Readings): Examination {
  const { kernel, architecture, trials } = readings
  const backend = defaultBackend(trials)
  const findings = [
    ...judgeMachine(readings),
    ...judgeRights(readings),
    ...judgeNamespaces(readings),
    ...judgeFiles(readings),
    ...judgeFeatures(readings),
    ...trials.map((trial) => withFix(judgeTrial(trial, trials, backend), trial, readings)),
  ]
  return {
    kernel,
    architecture,
    ...(backend === undefined ? {} : { backend: backend.backend }),
    ...conclude(findings, trials, backend),
    findings,
    trials,
  }
}

/** Backends that are used only by who names them. */
const ASKED_FOR: ReadonlySet<string> = new Set(
  BACKEND_NAMES.filter((name) => !DEFAULT_BACKENDS.includes(name)),
)

/** The first that works, unless one that was not tried would come before it. */
function defaultBackend(trials: readonly BackendTrial[]): BackendTrial | undefined {
  const first = trials.find(({ backend, outcome }) => outcome !== 'fails' && !ASKED_FOR.has(backend))
  return first?.outcome === 'works' ? first : undefined
}

function judgeTrial(
  trial: BackendTrial,
  trials: readonly BackendTrial[],
  chosen: BackendTrial | undefined,
): Finding {
  const { backend: name, outcome, attached, missing, reason = '' } = trial
  const finding = { topic: 'backends' as const, name, costs: [...new Set(missing.map(({ fact }) => fact))] }
  if (outcome === 'notTried') return { ...finding, verdict: 'unknown', found: `not tried: ${reason}` }
  if (outcome === 'fails') {
    const costs = costsOfFailure(trial, trials, chosen)
    return { ...finding, verdict: costs.length > 0 ? 'problem' : 'absent', found: reason, costs }
  }
  const facts = [...new Set(attached.map(({ fact, hook }) => `${fact} (${hook})`))]
  const found = `works: ${facts.join(', ')}`
  if (missing.length === 0) return { ...finding, verdict: 'ok', found }
  const details = missing.map(({ fact, reason }) => `no ${fact}: ${reason}`)
  return { ...finding, verdict: trial === chosen ? 'problem' : 'absent', found, details }
}

/** Adds what to do if lockdown prevents a backend. Other causes have findings of their own, with what to do. */
function withFix(finding: Finding, { missing, reason }: BackendTrial, { lockdown }: Readings): Finding {
  const reasons = [reason ?? '', ...missing.map(({ reason }) => reason)]
  const isLocked = lockdown === 'confidentiality' && reasons.some((text) => text.includes('lockdown'))
  return isLocked ? { ...finding, fix: UNLOCK } : finding
}

/** What a default run lacks because this backend failed and it uses a later one. */
function costsOfFailure(
  trial: BackendTrial,
  trials: readonly BackendTrial[],
  chosen: BackendTrial | undefined,
): string[] {
  if (chosen === undefined) return ['every event']
  const isBetter = trials.indexOf(trial) < trials.indexOf(chosen)
  return isBetter ? [...new Set(chosen.missing.map(({ fact }) => fact))] : []
}
