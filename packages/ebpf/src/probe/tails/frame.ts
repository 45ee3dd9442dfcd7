/** What the code of all tails shares: the program that it is part of, its beginning, and its end. */

import { type Assembler, R1, R2, R7, R9 } from '../../asm/index.js'
import type { Btf } from '../../btf/index.js'
import type { HelperSite } from '../calls.js'
import type { Flavor } from '../load-tree.js'
import { RECORD_OFFSET, TEMP_CURSOR, TEMP_FLAGS } from '../scratch.js'
import type { Window } from '../window.js'

export interface TailFrame {
  readonly asm: Assembler
  readonly site: HelperSite
  /** Where the context waits for tails that read it, from R10 on. */
  readonly contextSlot: number
  readonly btf: Btf
  /** Of walks: `probeRead` wherever an address cannot be cast. */
  readonly flavor: Flavor
  /** `helper` calls bpf_loop (Linux 5.17); `bounded` is a loop that the verifier walks through. */
  readonly loop: 'helper' | 'bounded'
  /** Programs may call bpf_probe_read_kernel. */
  readonly probeRead: boolean
  /** Type id of bpf_rdonly_cast, which the direct flavour needs (Linux 6.2). */
  readonly castId: number
  /** Where the direct flavour reads bytes at an address; absent on kernels that cannot cast. */
  readonly window: Window | undefined
  readonly fixedSizeBytes: number
  /** Most bytes of tails that can lie before any tail with such a source: a bound that the verifier asks for. */
  readonly maxBefore: ReadonlyMap<string, number>
}

/** Where a probe's tail goes. */
export interface TailPlace {
  /** Offset of the descriptor in the record. */
  readonly offset: number
  /** The limit of the probe. */
  readonly maxBytes: number
  /** Most bytes that the tails in front of it can take. */
  readonly before: number
  readonly elementBytes: number
}

/** Counts the steps of a loop that the verifier walks through. */
export const COUNTER_SLOT = -96

/** Why a tail that needs kernel memory at an address cannot be read: there is neither a helper nor a window. */
export function unreadable({ probeRead, flavor, window }: TailFrame, isEnough = true): string | undefined {
  if (probeRead || (flavor === 'direct' && window !== undefined && isEnough)) return undefined
  return 'this kernel refuses bpf_probe_read_kernel (lockdown=confidentiality)'
}

/** R1 = where the tail begins, or a jump to `skip` if the cursor is beyond `before`, which never happens. */
export function emitTailStart({ asm, fixedSizeBytes }: TailFrame, { before }: TailPlace, skip: string): void {
  asm.load(8, R2, R9, TEMP_CURSOR).jumpIfImm('>', R2, before, skip)
  asm
    .mov(R1, R9)
    .alu('add', R1, R2)
    .aluImm('add', R1, RECORD_OFFSET + fixedSizeBytes)
}

/** Adds the length in R7 to the cursor, and stores length and flags (TEMP_FLAGS) as the descriptor. */
export function emitTailEnd({ asm }: TailFrame, { offset }: TailPlace): void {
  asm.load(8, R1, R9, TEMP_CURSOR).alu('add', R1, R7).store(8, R9, TEMP_CURSOR, R1)
  asm
    .load(8, R1, R9, TEMP_FLAGS)
    .alu('or', R1, R7)
    .store(4, R9, RECORD_OFFSET + offset, R1)
}
