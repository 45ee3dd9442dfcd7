import { readLatin1 } from './read.js'

/** Who logged in, and the audit session of that, as records have them: one more than the numbers, 0 for none. */
export interface Login {
  readonly loginUid1: number
  readonly auditSession1: number
}

/** The login of a process, of which nothing is known where the kernel has no audit, or the process has ended. */
export function readLogin(pid: number, procPath = '/proc'): Login {
  return {
    loginUid1: nextOf(readLatin1(`${procPath}/${pid}/loginuid`)),
    auditSession1: nextOf(readLatin1(`${procPath}/${pid}/sessionid`)),
  }
}

/** The kernel writes -1 as an unsigned number for none. */
function nextOf(text: string | undefined): number {
  return text !== undefined && /^\d{1,10}\n?$/.test(text) ? (Number(text) + 1) >>> 0 : 0
}
