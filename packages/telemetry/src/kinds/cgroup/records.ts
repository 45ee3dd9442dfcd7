/** Layouts of cgroup records. */

import { record, stringTail, u32, u64 } from 'quark-ebpf/probe'

/** Record types: unique within quark, and part of the recording format. */
export const RECORD_CGROUP_MKDIR = 0x0101
export const RECORD_CGROUP_RENAME = 0x0102

const name = { id: u64, hierarchy: u32, path: stringTail(4096) } as const

/** A cgroup was made: its name is in this record alone, others have its id. */
export const cgroupMkdirLayout = record(RECORD_CGROUP_MKDIR, 'cgroupMkdir', name)

/** A cgroup was renamed (v1 only); `path` is its new name. */
export const cgroupRenameLayout = record(RECORD_CGROUP_RENAME, 'cgroupRename', name)
