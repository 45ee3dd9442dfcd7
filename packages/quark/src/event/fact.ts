import type { Probe } from '@quark/ebpf/probe'

/** Something to be learnt, and the probes that tell it. All of them must run for the fact to be had. */
export interface FactProbes {
  /** Name in `Capabilities`. */
  readonly fact: string
  readonly probes: readonly Probe[]
  /** Without it there is nothing to watch. */
  readonly required: boolean
}
