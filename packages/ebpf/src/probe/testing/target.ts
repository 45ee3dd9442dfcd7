import type { Target } from '../target.js'
import { scratchLayout } from '../scratch.js'
import { smallBtf } from './small-btf.js'

/** Three levels, on all of which every record has room. */
export const SIZES = { levels: 3, maxRecordBytes: 8192, nestedRecordBytes: 8192 }

/** The small kernel as programs are generated for it, with what differs from that. */
export function target(given: Partial<Target> = {}): Target {
  return {
    btf: smallBtf(),
    flavor: 'direct',
    loop: 'helper',
    architecture: 'x64',
    cpus: 2,
    scratch: scratchLayout(SIZES, 4096),
    ringSizeBytes: 1 << 20,
    cpuRings: undefined,
    preemptible: false,
    kernelPreempts: true,
    probeRead: true,
    fairUsers: false,
    ...given,
  }
}
