import type { Target } from '../target.js'
import { scratchSlotBytes } from '../scratch.js'
import { smallBtf } from './small-btf.js'

/** The small kernel as programs are generated for it, with what differs from that. */
export function target(given: Partial<Target> = {}): Target {
  return {
    btf: smallBtf(),
    flavor: 'direct',
    loop: 'helper',
    architecture: 'x64',
    cpus: 2,
    scratchSlotBytes: scratchSlotBytes(8192, 4096),
    ringSizeBytes: 1 << 20,
    cpuRings: undefined,
    preemptible: false,
    kernelPreempts: true,
    probeRead: true,
    ...given,
  }
}
