/** What modules make the kernel, by bit: include/linux/panic.h, Documentation/admin-guide/tainted-kernels.rst. */
export const TAINTS = [
  'proprietary',
  'forcedLoad',
  'cpuOutOfSpec',
  'forcedUnload',
  'machineCheck',
  'badPage',
  'userRequest',
  'died',
  'overriddenAcpi',
  'warned',
  'staging',
  'firmwareWorkaround',
  'outOfTree',
  'unsigned',
  'softLockup',
  'livePatched',
  'auxiliary',
  'randomizedLayout',
  'test',
  'fwctl',
] as const

/** Names of the bits that are set and have one. */
export function taintNames(bits: bigint): readonly (typeof TAINTS)[number][] {
  return TAINTS.filter((_name, bit) => (bits & (1n << BigInt(bit))) !== 0n)
}
