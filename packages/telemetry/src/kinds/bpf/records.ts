/** Layout of records about bpf(2), whatever fills them. */

import { chars, record, s64, stringTail, u32 } from 'quark-ebpf/probe'
import { actorFields } from '../../process/actor.js'

/** High byte of the types of records: unique among kinds, and part of the recording format. */
export const BPF_KIND = 15

/** BPF_OBJ_NAME_LEN, with its NUL. */
export const NAME_BYTES = 16

/** A call of bpf(2) about a program or a link has returned. */
export const bpfLayout = record((BPF_KIND << 8) | 1, 'bpf', {
  ...actorFields,
  /** `enum bpf_cmd`. */
  command: u32,
  /** `enum bpf_prog_type`; 0 when it is not known. */
  programType: u32,
  /** `enum bpf_attach_type`. */
  attachType: u32,
  /** 0 when it is not known. */
  programId: u32,
  linkId: u32,
  /** `enum bpf_link_type`. */
  linkType: u32,
  /** As the program is in the kernel. */
  instructions: u32,
  result: s64,
  /** Of the program, as the kernel has it. */
  name: chars(NAME_BYTES),
  /** Of a program that was refused, as the caller passed it. */
  askedName: stringTail(NAME_BYTES),
})
