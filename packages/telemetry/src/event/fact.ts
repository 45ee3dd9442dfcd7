import type { Probe } from 'quark-ebpf/probe'

/** Something to be learnt, and the ways to learn it. */
export interface FactProbes {
  /** Name in `Capabilities`. */
  readonly fact: string
  /** Each way is a set of probes that must all run; the first that works is taken. */
  readonly ways: readonly (readonly Probe[])[]
  /** Without it there is nothing to watch. */
  readonly required: boolean
}
