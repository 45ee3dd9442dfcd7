/** Numbers that a helper of the kernel supplies, into R0. */

import {
  type Assembler,
  BPF_FUNC_get_current_cgroup_id,
  BPF_FUNC_get_current_pid_tgid,
  BPF_FUNC_get_current_task_btf,
  BPF_FUNC_get_current_uid_gid,
  BPF_FUNC_get_smp_processor_id,
  BPF_FUNC_get_socket_cookie,
  BPF_FUNC_ktime_get_boot_ns,
  BPF_FUNC_ktime_get_ns,
  BPF_FUNC_probe_read_kernel,
  BPF_FUNC_probe_read_user,
  BPF_FUNC_skb_load_bytes,
  BPF_FUNC_sock_from_file,
  BPF_FUNC_task_pt_regs,
  R0,
  R1,
  R2,
  R3,
  R4,
  R6,
  R10,
} from '../asm/index.js'
import { BuildError } from '../errors.js'
import { emitSignedLoad } from './load-number.js'
import type { LoadFrame } from './load-tree.js'
import type { HelperName, NumberSize } from './nodes.js'
import type { ResolvedHelper, ResolvedMemory } from './resolved.js'
import { PACKET_SLOT, VALUE_SLOT } from './stack.js'
import { emitWindow, type Window } from './window.js'

/** What a program runs on: a place in the kernel, a packet of a socket, or a call on a socket. */
export type HelperSite = 'tracing' | 'packet' | 'socket'

const HELPERS: Readonly<Record<HelperName, number>> = {
  pidTgid: BPF_FUNC_get_current_pid_tgid,
  uidGid: BPF_FUNC_get_current_uid_gid,
  cgroupId: BPF_FUNC_get_current_cgroup_id,
  bootNs: BPF_FUNC_ktime_get_boot_ns,
  monotonicNs: BPF_FUNC_ktime_get_ns,
  cpu: BPF_FUNC_get_smp_processor_id,
  userRegisters: BPF_FUNC_task_pt_regs,
  socketCookie: BPF_FUNC_get_socket_cookie,
  fileSocketCookie: BPF_FUNC_get_socket_cookie,
}

/** Bytes of a packet; 0 beyond its end. */
export function emitPacket(asm: Assembler, { offset, size }: { offset: number; size: NumberSize }): void {
  asm.storeImm(8, R10, PACKET_SLOT, 0)
  asm.mov(R1, R6).movImm(R2, offset).mov(R3, R10).aluImm('add', R3, PACKET_SLOT)
  asm.movImm(R4, size).call(BPF_FUNC_skb_load_bytes)
  asm.load(8, R0, R10, PACKET_SLOT)
}

/** @throws {BuildError} when a program of this kind cannot have it */
export function emitHelper(
  frame: LoadFrame,
  { name, argument, offset }: ResolvedHelper,
  { site, probe }: { readonly site: HelperSite; readonly probe: string },
): void {
  const { asm } = frame
  if (offset !== undefined || name === 'fileSocketCookie') {
    if (argument === undefined || offset === undefined || frame.flavor !== 'direct') {
      const needs = 'it needs a program that is attached through BTF'
      throw new BuildError(`Cannot call ${name}(…) in probe "${probe}": ${needs}`)
    }
    emitCookieBehind(frame, { argument, offset, isFile: name === 'fileSocketCookie' })
    return
  }
  if (name === 'socketCookie') {
    if (argument === undefined && site !== 'tracing') asm.mov(R1, R6)
    else if (argument !== undefined && site === 'tracing' && frame.flavor === 'direct')
      frame.argument(R1, argument)
    else {
      const needs =
        site !== 'tracing'
          ? 'the program has one socket, and is given none'
          : 'it needs an argument that is a socket, and a program that is attached through BTF'
      throw new BuildError(`Cannot call socketCookie(…) in probe "${probe}": ${needs}`)
    }
  }
  // Where the registers lie is asked of a task that the verifier knows.
  if (name === 'userRegisters') asm.call(BPF_FUNC_get_current_task_btf).mov(R1, R0)
  asm.call(HELPERS[name])
}

/** The cookie of the socket behind a file or a `struct socket`. The verifier wants the pointers checked. */
function emitCookieBehind(
  frame: LoadFrame,
  {
    argument,
    offset,
    isFile,
  }: { readonly argument: number; readonly offset: number; readonly isFile: boolean },
): void {
  const { asm } = frame
  const [none, end] = [asm.uniqueLabel('none'), asm.uniqueLabel('end')]
  frame.argument(isFile ? R1 : R0, argument)
  if (isFile) asm.call(BPF_FUNC_sock_from_file)
  asm.jumpIfImm('==', R0, 0, none)
  asm.load(8, R1, R0, offset).jumpIfImm('==', R1, 0, none)
  asm.call(BPF_FUNC_get_socket_cookie).jump(end)
  asm.label(none).movImm(R0, 0)
  asm.label(end)
}

/** The number at the address in R0; 0 where it cannot be read. */
export function emitMemory(
  { asm, flavor, castId, faultsOnNull }: LoadFrame,
  { space, sizeBytes, signed }: ResolvedMemory,
  window: Window | undefined,
): void {
  if (space === 'kernel' && flavor === 'direct' && castId !== undefined && window !== undefined) {
    const end = asm.uniqueLabel('end')
    if (faultsOnNull) asm.jumpIfImm('==', R0, 0, end)
    asm.mov(R1, R0)
    emitWindow(asm, castId, window)
    emitSignedLoad(asm, R0, R0, { offset: window.offset, sizeBytes, signed })
    asm.label(end)
    return
  }
  asm.mov(R3, R0).mov(R1, R10).aluImm('add', R1, VALUE_SLOT).movImm(R2, sizeBytes)
  asm.call(space === 'user' ? BPF_FUNC_probe_read_user : BPF_FUNC_probe_read_kernel)
  emitSignedLoad(asm, R0, R10, { offset: VALUE_SLOT, sizeBytes, signed })
}
