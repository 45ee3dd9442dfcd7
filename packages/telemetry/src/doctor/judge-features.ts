/** Findings about the features of the kernel, and what is lost without them. */

import { type FeatureName, hookFeatures } from 'quark-ebpf'
import type { HookKind } from 'quark-ebpf/probe'
import type { Finding } from './examination.js'
import { lacksRights } from './judge-machine.js'
import type { FeatureReading, Readings } from './readings.js'

/** Without these the eBPF backend does not open. */
const OF_EBPF: readonly FeatureName[] = ['ringbuf', 'mmapableArray', 'ktimeGetBootNs']

/** Most components of a path without bpf_loop. */
const MAX_COMPONENTS = 128

/** Findings about all features. */
export function judgeFeatures(readings: Readings): Finding[] {
  const supported = new Set(
    readings.features.filter(({ supported }) => supported).map(({ feature }) => feature),
  )
  return readings.features.map((reading) => judgeFeature(reading, supported, readings))
}

function judgeFeature(
  reading: FeatureReading,
  supported: ReadonlySet<FeatureName>,
  readings: Readings,
): Finding {
  const { feature, minKernel, reason = '', code } = reading
  const finding = { topic: 'features' as const, name: feature }
  if (reading.supported) return { ...finding, verdict: 'ok', found: 'works', costs: [] }
  if (code === 'ERR_EBPF_PERMISSION' && lacksRights(readings)) {
    return { ...finding, verdict: 'unknown', found: 'cannot be tried without the capabilities', costs: [] }
  }
  return {
    ...finding,
    // Whether a default run suffers is for the trials of the backends to find: a feature alone does not show it.
    verdict: 'absent',
    found: reason,
    details: [`kernels have it since Linux ${minKernel}`],
    costs: costsOf(feature, supported, readings),
  }
}

/** Facts of the eBPF backend that need the feature, and have no way around it that works. */
function costsOf(
  feature: FeatureName,
  supported: ReadonlySet<FeatureName>,
  { facts, trials }: Readings,
): string[] {
  if (OF_EBPF.includes(feature)) return ['the ebpf backend']
  if (feature === 'bpfLoop') return [`names of directories beyond the ${MAX_COMPONENTS}th of a path`]
  if (feature === 'probeReadKernel') {
    const missing = trials.find(({ backend }) => backend === 'ebpf')?.missing ?? []
    const facts = missing.filter(({ reason }) => reason.includes('bpf_probe_read_kernel'))
    return [...new Set(facts.map(({ fact }) => fact))]
  }
  const works = (hooks: readonly HookKind[]): boolean =>
    hooks.every((hook) => hookFeatures(hook).some((name) => supported.has(name)))
  const needs = (hooks: readonly HookKind[]): boolean =>
    hooks.some((hook) => hookFeatures(hook).includes(feature))
  return facts
    .filter(({ ways }) => ways.some(needs) && !ways.some(works))
    .map(({ fact, isOptional }) => (isOptional ? `${fact} (when asked for)` : fact))
}
