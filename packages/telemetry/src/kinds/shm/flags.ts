/** Flags of calls about shared memory: include/uapi/linux/shm.h, ipc.h, memfd.h. */

const SHMGET = {
  0o1000: 'IPC_CREAT',
  0o2000: 'IPC_EXCL',
  0o4000: 'SHM_HUGETLB',
  0o10000: 'SHM_NORESERVE',
} as const
const SHMAT = {
  0o10000: 'SHM_RDONLY',
  0o20000: 'SHM_RND',
  0o40000: 'SHM_REMAP',
  0o100000: 'SHM_EXEC',
} as const
const MEMFD = {
  1: 'MFD_CLOEXEC',
  2: 'MFD_ALLOW_SEALING',
  4: 'MFD_HUGETLB',
  8: 'MFD_NOEXEC_SEAL',
  16: 'MFD_EXEC',
} as const

const TABLES = { shmget: SHMGET, shmat: SHMAT, memfd: MEMFD } as const
const LISTS = Object.fromEntries(
  Object.entries(TABLES).map(([call, table]) => [
    call,
    Object.entries(table).map(([bit, name]) => [Number(bit), name] as const),
  ]),
)

/** All names. */
export const FLAGS: readonly string[] = Object.values(TABLES).flatMap((table): string[] =>
  Object.values(table),
)

/** Names of the bits that are set and have one. */
export function flagNames(call: keyof typeof TABLES, flags: number): readonly string[] {
  return (LISTS[call] ?? []).filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name)
}
