/** Layouts of module records, whatever fills them. */

import { chars, pathTail, record, stringTail, u32, u64 } from 'quark-ebpf/probe'
import { actorFields } from '../../process/actor.js'

/** High byte of the types of records: unique among kinds, and part of the recording format. */
export const MODULE_KIND = 12

/** With its NUL (include/linux/module.h). */
export const NAME_BYTES = 56
const MAX_VERSION_BYTES = 256

export const RECORD_MODULE_LOAD = (MODULE_KIND << 8) | 1

/** A module is in the kernel, and its initialisation begins. */
export const moduleLoadLayout = record(RECORD_MODULE_LOAD, 'moduleLoad', {
  ...actorFields,
  /** 1 if `taints` is known. */
  hasTaints: u32,
  /** Bits of what it makes the kernel, by number. */
  taints: u64,
  name: chars(NAME_BYTES),
  version: stringTail(MAX_VERSION_BYTES),
  srcVersion: stringTail(MAX_VERSION_BYTES),
  /** Of finit_module(2). */
  file: pathTail,
})

/** A module goes from the kernel. */
export const moduleFreeLayout = record((MODULE_KIND << 8) | 2, 'moduleFree', {
  ...actorFields,
  /** 1 if it goes within the call that loads it: its initialisation failed. */
  hasFailed: u32,
  name: chars(NAME_BYTES),
})
