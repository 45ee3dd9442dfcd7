/** What is asked about a file, and what is answered: lines of JSON between quark and the process that reads files. */

import type { FilePackage, UnreadReason } from '../../process/executable.js'

/** What tells one file, in one state, from others; numbers of 64 bits are text. */
export interface FileIdentity {
  readonly device: number
  readonly generation: number
  readonly inode: string
  readonly sizeBytes: number
  readonly mtimeNs: string
  readonly ctimeNs: string
}

/** A question. */
export interface AskedFile extends FileIdentity {
  /** A process that executes it. */
  readonly pid: number
  /** From the root of the process; undefined if that is not known, or the file has no name. */
  readonly path: string | undefined
  readonly isDeleted: boolean
  /** What is in it is known: only the script is asked about. */
  readonly isKnown: boolean
  /** An absolute name of a script whose package is asked for. */
  readonly script: string | undefined
}

/** What is in a file; without `sha256` and `unread` it says something of the script alone. */
export interface FileContent {
  readonly sha256?: string | undefined
  readonly unread?: UnreadReason | undefined
  readonly replaced?: boolean | undefined
  readonly package?: FilePackage | undefined
  /** The script that `scriptPackage` is about. */
  readonly script?: string | undefined
  readonly scriptPackage?: FilePackage | undefined
}

/** How the process is to read. */
export interface ReaderLimits {
  readonly maxBytes: number
  readonly bytesPerSecond: number
  /** Name packages, too. */
  readonly packages: boolean
  /** A thread that reads nothing for so long hangs. Default 10 s. */
  readonly answerMs?: number
}

/** The key of a script that a file interprets. */
export function scriptKeyOf(fileKey: string, script: string): string {
  return `${fileKey} ${script}`
}

/** The key of a file in one state. */
export function keyOf({ device, generation, inode, sizeBytes, mtimeNs, ctimeNs }: FileIdentity): string {
  return `${device} ${inode} ${generation} ${sizeBytes} ${mtimeNs} ${ctimeNs}`
}
