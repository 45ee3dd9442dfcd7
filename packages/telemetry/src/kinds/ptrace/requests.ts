/** Requests of ptrace(2): include/uapi/linux/ptrace.h, arch/x86/include/uapi/asm/ptrace-abi.h. */

const BASE = [
  'TRACEME',
  'PEEKTEXT',
  'PEEKDATA',
  'PEEKUSR',
  'POKETEXT',
  'POKEDATA',
  'POKEUSR',
  'CONT',
  'KILL',
  'SINGLESTEP',
] as const

const OTHERS = {
  12: 'GETREGS',
  13: 'SETREGS',
  14: 'GETFPREGS',
  15: 'SETFPREGS',
  16: 'ATTACH',
  17: 'DETACH',
  18: 'GETFPXREGS',
  19: 'SETFPXREGS',
  21: 'OLDSETOPTIONS',
  24: 'SYSCALL',
  25: 'GET_THREAD_AREA',
  26: 'SET_THREAD_AREA',
  30: 'ARCH_PRCTL',
  31: 'SYSEMU',
  32: 'SYSEMU_SINGLESTEP',
} as const

/** From 0x4200 on. */
const EXTENDED = [
  'SETOPTIONS',
  'GETEVENTMSG',
  'GETSIGINFO',
  'SETSIGINFO',
  'GETREGSET',
  'SETREGSET',
  'SEIZE',
  'INTERRUPT',
  'LISTEN',
  'PEEKSIGINFO',
  'GETSIGMASK',
  'SETSIGMASK',
  'SECCOMP_GET_FILTER',
  'SECCOMP_GET_METADATA',
  'GET_SYSCALL_INFO',
  'GET_RSEQ_CONFIGURATION',
  'SET_SYSCALL_USER_DISPATCH_CONFIG',
  'GET_SYSCALL_USER_DISPATCH_CONFIG',
  'SET_SYSCALL_INFO',
] as const

const NAMES: ReadonlyMap<number, string> = new Map([
  ...BASE.map((name, index) => [index, `PTRACE_${name}`] as const),
  ...Object.entries(OTHERS).map(([number, name]) => [Number(number), `PTRACE_${name}`] as const),
  ...EXTENDED.map((name, index) => [0x4200 + index, `PTRACE_${name}`] as const),
])

/** All names, in the order of their numbers. */
export const REQUESTS: readonly string[] = [...NAMES.values()]

/** The name of a request; undefined if it has none. */
export function requestName(request: number): string | undefined {
  return NAMES.get(request)
}

export const PTRACE_TRACEME = 0
export const PTRACE_ATTACH = 16
export const PTRACE_DETACH = 17
export const PTRACE_SEIZE = 0x4206

/** What changes the target; attaching stops it. */
const CHANGING = /POKE|SET|ATTACH|SEIZE|DETACH|TRACEME|CONT|KILL|STEP|SYSCALL$|SYSEMU|INTERRUPT|LISTEN|PRCTL/

/** Whether a request changes its target, and does not only look at it. */
export function isChange(name: string | undefined): boolean {
  return name === undefined || CHANGING.test(name)
}
