/**
 * How users share a ring that is getting full, and whose records were lost.
 *
 * From half full on, a program looks up how much its user (the real uid of the task that runs) has written since the
 * reader last gave room back. A user may take as much as is still free: who goes on writing gets ever less, and others
 * find room at any time. A record that is too much is first shortened: tails with `scarceBytes` are cut to those, which
 * leaves ids, times and paths. Such short records may take twice of what is free; what goes beyond is lost.
 *
 * A reader that falls behind has them share less than the whole ring: what waits there is read late.
 *
 * Only hooks that run in the task that caused them can name a user.
 */

import {
  type Assembler,
  BPF_FUNC_get_current_pid_tgid,
  BPF_FUNC_get_current_uid_gid,
  BPF_FUNC_map_lookup_elem,
  BPF_FUNC_map_update_elem,
  BPF_FUNC_ringbuf_query,
  R0,
  R1,
  R2,
  R3,
  R4,
  R5,
  R7,
  R8,
  R9,
} from '../asm/index.js'
import type { MapSpec } from './map-spec.js'
import { HEADER_CPU } from './record.js'
import {
  RECORD_OFFSET,
  RING_MAP,
  SLOT_FAIR_BYTES,
  SLOT_HEAD,
  SLOT_RING_MASK,
  SLOT_SHORTENED,
  SLOT_TAIL,
  TEMP_DENTRY,
  TEMP_MOUNT,
  TEMP_NEXT,
  TEMP_ROOT_DENTRY,
} from './scratch.js'
import type { Target } from './target.js'
import { TAIL_LENGTH_MASK, TAIL_TRUNCATED } from './tails/descriptor.js'

/** What each user has written to a ring: by uid and lane, where lanes have rings. */
export const USERS_MAP = 'users'
/** Records that were lost, by the real uid of the task. */
export const LOST_UIDS_MAP = 'lost_uids'
/** Records that were lost since the reader looked last, by the tgid of the task. */
export const LOST_PIDS_MAP = 'lost_pids'

/** Maps of a session in which users share. */
export const FAIRNESS_MAPS: readonly MapSpec[] = [
  // Value: the position up to which the reader had consumed, and what was written since.
  { name: USERS_MAP, type: 'lruHash', keySizeBytes: 8, valueSizeBytes: 16, maxEntries: 4096 },
  { name: LOST_UIDS_MAP, type: 'hash', keySizeBytes: 4, valueSizeBytes: 8, maxEntries: 1024 },
  { name: LOST_PIDS_MAP, type: 'hash', keySizeBytes: 4, valueSizeBytes: 8, maxEntries: 4096 },
]

/** A tail that is cut while the ring is scarce. */
export interface ScarceTail {
  /** Offset of its descriptor in the record. */
  readonly offset: number
  readonly scarceBytes: number
}

/** `flags` of bpf_ringbuf_query. */
const BPF_RB_AVAIL_DATA = 0
const BPF_RB_CONS_POS = 2
const BPF_ANY = 0
const BPF_NOEXIST = 1

/** What is free for each user at least, if the ring itself has room, behind more than is shared. */
const LEAST_FREE_BYTES = 8192

/** Where a key and a value are put together: walks of paths are over. */
const KEY = TEMP_DENTRY
const VALUE = TEMP_MOUNT
const VALUE_WRITTEN = TEMP_ROOT_DENTRY
const FREE = TEMP_NEXT

/**
 * Continues if the user may write the R7 bytes of the record, which it shortens if there is not room for all of them;
 * else goes to `lost`.
 */
export function emitUserShare(
  asm: Assembler,
  target: Target,
  tails: readonly ScarceTail[],
  { maxSizeBytes, lost }: { readonly maxSizeBytes: number; readonly lost: string },
): void {
  const crowded = asm.uniqueLabel('crowded')
  const fits = asm.uniqueLabel('fits')
  if (target.cpuRings === undefined) {
    asm.loadMap(R1, RING_MAP).movImm(R2, BPF_RB_AVAIL_DATA).call(BPF_FUNC_ringbuf_query)
    asm.mov(R1, R0)
  } else {
    asm.load(8, R1, R9, SLOT_HEAD).load(8, R2, R9, SLOT_TAIL).alu('sub', R1, R2)
  }
  // R1 = how full the ring is with the record, R3 = what users share of it.
  asm.alu('add', R1, R7)
  asm.load(4, R3, R9, SLOT_FAIR_BYTES).mov(R2, R3).aluImm('rsh', R2, 1).jumpIf('>', R1, R2, crowded)
  asm.label(fits)
  asm.aside(crowded, () => {
    emitPosition(asm, target)
    emitAccount(asm, fits)
    const take = asm.uniqueLabel('take')
    // R8 = the account.
    // Signed: it may be longer than what is free.
    emitWithRecord(asm)
    asm.load(8, R3, R9, FREE).jumpIf('s<=', R5, R3, take)
    emitShorten(asm, tails)
    asm.jumpIfImm('>', R7, maxSizeBytes, 'leave')
    emitWithRecord(asm)
    // What is free without the cut part.
    asm.load(8, R3, R9, FREE).alu('add', R3, R4).aluImm('lsh', R3, 1).jumpIf('s>', R5, R3, lost)
    asm.label(take).store(8, R8, 8, R5).jump(fits)
  })
}

/** R5 = what the user has written, with this record. */
function emitWithRecord(asm: Assembler): void {
  asm.load(8, R5, R8, 8).alu('add', R5, R7)
}

/** Stores what is free behind the record, the key of the account, and up to where the reader has consumed. Needs R1 and R3. */
function emitPosition(asm: Assembler, { cpuRings, ringSizeBytes }: Target): void {
  const isMore = asm.uniqueLabel('is_more')
  asm.alu('sub', R3, R1)
  // What waits may be more than the part that is shared now: those who did not make it still find room behind it.
  if (cpuRings === undefined) asm.movImm(R2, ringSizeBytes)
  else asm.load(4, R2, R9, SLOT_RING_MASK)
  const isLittle = asm.uniqueLabel('is_little')
  asm.alu('sub', R2, R1).jumpIfImm('s<=', R2, LEAST_FREE_BYTES, isLittle).movImm(R2, LEAST_FREE_BYTES)
  asm.label(isLittle).jumpIf('s>=', R3, R2, isMore).mov(R3, R2)
  asm.label(isMore).store(8, R9, FREE, R3)
  if (cpuRings === undefined) {
    asm.loadMap(R1, RING_MAP).movImm(R2, BPF_RB_CONS_POS).call(BPF_FUNC_ringbuf_query)
    asm.store(8, R9, VALUE, R0).storeImm(4, R9, KEY + 4, 0)
    return
  }
  asm.load(8, R1, R9, SLOT_TAIL).store(8, R9, VALUE, R1)
  asm.load(2, R1, R9, RECORD_OFFSET + HEADER_CPU).store(4, R9, KEY + 4, R1)
}

/** R8 = the account of the user, begun anew if the reader has consumed since; goes to `none` if there is none. */
function emitAccount(asm: Assembler, none: string): void {
  const found = asm.uniqueLabel('account')
  const current = asm.uniqueLabel('current')
  asm.call(BPF_FUNC_get_current_uid_gid).store(4, R9, KEY, R0)
  emitLookup(asm, USERS_MAP)
  asm.jumpIfImm('!=', R0, 0, found)
  asm.storeImm(8, R9, VALUE_WRITTEN, 0)
  emitUpdate(asm, USERS_MAP, BPF_ANY)
  emitLookup(asm, USERS_MAP)
  asm.jumpIfImm('==', R0, 0, none)
  asm.label(found).mov(R8, R0)
  asm.load(8, R1, R9, VALUE).load(8, R2, R8, 0).jumpIf('==', R1, R2, current)
  asm.store(8, R8, 0, R1).storeImm(8, R8, 8, 0)
  asm.label(current)
}

/** Cuts tails at the end of the record. R7 = its length then, R4 = how much was cut. */
function emitShorten(asm: Assembler, tails: readonly ScarceTail[]): void {
  const whole = asm.uniqueLabel('whole')
  asm.movImm(R4, 0)
  for (const { offset, scarceBytes } of tails) {
    const short = asm.uniqueLabel('short')
    const at = RECORD_OFFSET + offset
    asm.load(4, R1, R9, at).mov(R2, R1).aluImm('and', R2, TAIL_LENGTH_MASK)
    asm.jumpIfImm('<=', R2, scarceBytes, short)
    asm.aluImm('sub', R2, scarceBytes).alu('sub', R7, R2).alu('add', R4, R2)
    asm.aluImm('and', R1, ~TAIL_LENGTH_MASK).aluImm('or', R1, TAIL_TRUNCATED | scarceBytes)
    asm.store(4, R9, at, R1)
    asm.label(short)
  }
  asm.jumpIfImm('==', R4, 0, whole)
  asm.load(8, R1, R9, SLOT_SHORTENED).aluImm('add', R1, 1).store(8, R9, SLOT_SHORTENED, R1)
  asm.label(whole)
}

/** Counts a lost record for its user and its process. */
export function emitLossOf(asm: Assembler): void {
  asm.call(BPF_FUNC_get_current_uid_gid).store(4, R9, KEY, R0)
  emitBump(asm, LOST_UIDS_MAP)
  asm.call(BPF_FUNC_get_current_pid_tgid).aluImm('rsh', R0, 32).store(4, R9, KEY, R0)
  emitBump(asm, LOST_PIDS_MAP)
}

/** Adds 1 to the value under the key. What finds no room is missing in the sum, which the reader compares. */
function emitBump(asm: Assembler, map: string): void {
  const absent = asm.uniqueLabel('absent')
  const done = asm.uniqueLabel('done')
  emitLookup(asm, map)
  asm.jumpIfImm('==', R0, 0, absent)
  asm.movImm(R1, 1).atomicAdd(8, R0, 0, R1).jump(done)
  asm.label(absent).storeImm(8, R9, VALUE, 1)
  emitUpdate(asm, map, BPF_NOEXIST)
  asm.label(done)
}

function emitLookup(asm: Assembler, map: string): void {
  asm.loadMap(R1, map).mov(R2, R9).aluImm('add', R2, KEY).call(BPF_FUNC_map_lookup_elem)
}

function emitUpdate(asm: Assembler, map: string, flags: number): void {
  asm.loadMap(R1, map).mov(R2, R9).aluImm('add', R2, KEY)
  asm.mov(R3, R9).aluImm('add', R3, VALUE).movImm(R4, flags).call(BPF_FUNC_map_update_elem)
}
