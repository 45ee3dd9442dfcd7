/** An output file that is rotated: FILE is written, FILE.1 was it before, FILE.2 before that. */

import { monotonicMs } from './clock.js'
import {
  closeSync,
  constants as fsConstants,
  createWriteStream,
  fstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import type { Writable } from 'node:stream'
import { readyToAppend } from './append.js'

/** When a file is rotated, and how much is kept. */
export interface RotationSettings {
  /** No file is larger, unless a single event is. */
  readonly sizeBytes?: number | undefined
  /** No file is written for longer, if there are events. */
  readonly ageMs?: number | undefined
  /** How many files are kept beside the one that is written. */
  readonly keep?: number | undefined
  /** The most that all of them take together. */
  readonly totalBytes?: number | undefined
}

/** A stream into a file. */
export interface Opened {
  readonly stream: Writable
  /** Nothing is in the file. */
  readonly isEmpty: boolean
}

/** Whether anything is given by which files are rotated. */
export function isRotated({ sizeBytes, ageMs, totalBytes }: Partial<RotationSettings>): boolean {
  return sizeBytes !== undefined || ageMs !== undefined || totalBytes !== undefined
}

/** How many files are kept by default. */
export const DEFAULT_KEEP = 5
/** Most files that can be kept: each rotation renames them all. */
export const MAX_KEEP = 1000

/** A rotation that failed is tried again after so long. */
const RETRY_MS = 10_000

interface OpenFile {
  readonly fd: number
  readonly stream: Writable
  /** Nothing was in it. */
  readonly isEmpty: boolean
  /** What was written to it, and what it had before. */
  sizeBytes: number
  /** Of these, those of its head, if it had nothing before. */
  headBytes: number
  /** When it was made, in ms of the wall clock. */
  readonly madeMs: number
}

/** Writes into a file, and begins another one when it is large or old. What it finds in the file is kept. */
export class RotatedFile {
  readonly #path: string
  readonly #keep: number
  readonly #ageMs: number
  readonly #totalBytes: number | undefined
  /** The most that a file may have. */
  readonly #sizeBytes: number
  readonly #report: (error: Error) => void
  #file: OpenFile
  /** Bytes of what the caller writes at the head of each further file. */
  headBytes = 0
  /** Sizes of the kept files by number, as far as this run wrote them: their last bytes may not be in them yet. */
  readonly #keptBytes: (number | undefined)[] = []
  #retryMs = 0

  /**
   * Opens the file. A line that a killed run left without its end is ended.
   *
   * @param report called when a rotation failed; writing goes on in the file that is open
   * @param truncates whether what is found in the file is removed
   * @throws when the file cannot be opened, or is not one that can be rotated
   */
  constructor(path: string, settings: RotationSettings, report: (error: Error) => void, truncates = false) {
    // Files stay beside the one that a link leads to.
    const found = statSync(path, { throwIfNoEntry: false })
    this.#path = found === undefined ? path : realpathSync(path)
    if (found?.isFile() === false) {
      throw new Error(`Cannot rotate ${path}: it is no regular file (remove the options --rotate-…)`)
    }
    const { sizeBytes, ageMs = Number.POSITIVE_INFINITY, keep = DEFAULT_KEEP, totalBytes } = settings
    this.#keep = keep
    this.#ageMs = ageMs
    this.#totalBytes = totalBytes
    this.#sizeBytes =
      sizeBytes ?? (totalBytes === undefined ? Number.POSITIVE_INFINITY : Math.floor(totalBytes / (keep + 1)))
    this.#report = report
    this.#file = openForAppending(this.#path, truncates)
    this.#tryTo(() => this.#prune())
  }

  /** The stream into the open file. */
  get stream(): Writable {
    return this.#file.stream
  }

  /** Most characters that should be written at once, so that files are nearly as large as they may be. */
  get pieceChars(): number {
    return Math.max(1, Math.floor(this.#sizeBytes / 8))
  }

  /**
   * Must be called before each write of whole lines: rotates the file if it would become too large, or is too old.
   *
   * @returns another file, if one was begun
   */
  next(bytes: number): Opened | undefined {
    const file = this.#file
    if (file.sizeBytes > file.headBytes && this.#isDue(file, bytes)) this.#tryTo(() => this.#rotate())
    this.#file.sizeBytes += bytes
    return this.#file === file ? undefined : this.#file
  }

  /**
   * Opens the file again, which others may have renamed or removed.
   *
   * @throws when it cannot be opened
   */
  reopen(): Opened {
    this.#file = this.#openFurther()
    this.#retryMs = 0
    return this.#file
  }

  #isDue({ sizeBytes, madeMs }: OpenFile, bytes: number): boolean {
    return sizeBytes + bytes > this.#sizeBytes || Date.now() - madeMs >= this.#ageMs
  }

  #tryTo(step: () => void): void {
    if (monotonicMs() < this.#retryMs) return
    try {
      step()
    } catch (cause) {
      this.#retryMs = monotonicMs() + RETRY_MS
      this.#report(
        new Error(`Cannot rotate ${this.#path}, and goes on with the file that is open`, { cause }),
      )
    }
  }

  #rotate(): void {
    const path = this.#path
    if (this.#isOwn()) {
      const free = this.#firstFree()
      for (let number = free - 1; number >= 1; number--) {
        renameSync(this.#old(number), this.#old(number + 1))
        this.#keptBytes[number + 1] = this.#keptBytes[number]
      }
      renameSync(path, this.#old(1))
      this.#keptBytes[1] = this.#file.sizeBytes
      try {
        this.#file = this.#openFurther()
      } catch (error) {
        renameSync(this.#old(1), path)
        throw error
      }
      this.#prune()
    } else {
      // Others have rotated it.
      this.#file = this.#openFurther()
    }
  }

  #openFurther(): OpenFile {
    const file = openForAppending(this.#path)
    if (!file.isEmpty) return file
    file.headBytes = this.headBytes
    file.sizeBytes = this.headBytes
    return file
  }

  /** Whether the name still leads to the open file. */
  #isOwn(): boolean {
    const named = statSync(this.#path, { throwIfNoEntry: false })
    const open = fstatSync(this.#file.fd)
    return named !== undefined && named.ino === open.ino && named.dev === open.dev
  }

  /** The first number that no file has; the file of the last number is removed if there is none. */
  #firstFree(): number {
    const keep = this.#keep
    for (let number = 1; number <= keep; number++) {
      if (sizeOf(this.#old(number)) === undefined) return number
    }
    rmSync(this.#old(keep))
    return keep
  }

  /**
   * Removes the oldest files, so that with those that are left and a full one there are not more bytes than allowed.
   */
  #prune(): void {
    const totalBytes = this.#totalBytes
    if (totalBytes === undefined) return
    let leftBytes = totalBytes - Math.max(this.#sizeBytes, this.#file.sizeBytes)
    for (let number = 1; number <= this.#keep; number++) {
      const foundBytes = sizeOf(this.#old(number))
      if (foundBytes === undefined) continue
      leftBytes -= Math.max(foundBytes, this.#keptBytes[number] ?? 0)
      if (leftBytes < 0) rmSync(this.#old(number), { force: true })
    }
  }

  #old(number: number): string {
    return `${this.#path}.${number}`
  }
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size
}

/** Opens a file without removing what is in it. */
function openForAppending(path: string, truncates = false): OpenFile {
  const fd = openSync(path, fsConstants.O_WRONLY | fsConstants.O_CREAT | fsConstants.O_APPEND, 0o600)
  try {
    const { size, birthtimeMs, mtimeMs } = fstatSync(fd)
    return {
      fd,
      stream: createWriteStream(path, { fd }),
      isEmpty: size === 0 || truncates,
      sizeBytes: readyToAppend(fd, path, truncates),
      headBytes: 0,
      madeMs: size === 0 ? Date.now() : birthtimeMs > 0 ? birthtimeMs : mtimeMs,
    }
  } catch (error) {
    closeSync(fd)
    throw error
  }
}
