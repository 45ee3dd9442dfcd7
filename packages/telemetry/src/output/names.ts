/** Names of the numbers that the kernel reports, as its headers and manual pages spell them. */

import { constants } from 'node:os'

/** `SIGKILL` for 9; undefined for real-time signals, which have no names of their own. */
export function signalName(signal: number): string | undefined {
  return SIGNALS.get(signal)
}

/** `ENOENT` for 2. */
export function errnoName(errno: number): string | undefined {
  return ERRNOS.get(errno)
}

/** Names of the set bits in ascending order; a bit without a name is its number, as ECS asks. */
export function capabilityNames(set: bigint): readonly string[] {
  const names: string[] = []
  for (let bit = 0, rest = BigInt.asUintN(64, set); rest !== 0n; bit++, rest >>= 1n) {
    if (rest & 1n) names.push(CAPABILITIES[bit] ?? String(bit))
  }
  return names
}

// A machine has few different sets (none, all, one per confined service), and their names are long.
const MOST_REMEMBERED_SETS = 256
const rememberedSets = new Map<bigint, string>()

/** The names of the set bits as they stand in a list of JSON. */
export function capabilityList(set: bigint): string {
  let list = rememberedSets.get(set)
  if (list === undefined) {
    const names = capabilityNames(set)
    list = names.length === 0 ? '' : `"${names.join('","')}"`
    if (rememberedSets.size < MOST_REMEMBERED_SETS) rememberedSets.set(set, list)
  }
  return list
}

const SIGNALS = byNumber(constants.signals)
const ERRNOS = byNumber(constants.errno)

/** Names by number. Of two for one number (SIGABRT and SIGIOT, EAGAIN and EWOULDBLOCK) the first, which is usual. */
function byNumber(numbers: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  const names = new Map<number, string>()
  for (const [name, number] of Object.entries(numbers)) {
    if (!names.has(number)) names.set(number, name)
  }
  return names
}

/** By bit, from include/uapi/linux/capability.h. */
const CAPABILITIES: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
]

/** All that have a name: those of a machine that has given up none. */
export const NAMED_CAPABILITIES: bigint = (1n << BigInt(CAPABILITIES.length)) - 1n
