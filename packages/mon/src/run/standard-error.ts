/**
 * Standard error of a process that shares it with a command. The engine sets what it writes to non-blocking, which would
 * be so for the command, too: its writes would fail when the reader is slow.
 */

import { monotonicMs } from '../clock.js'
import { closeSync, constants, createWriteStream, fstatSync, openSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'

const FD = 2
/** At the end, a reader that takes nothing for so long is given up. */
const STUCK_MS = 1000
const LOOK_MS = 5

/** Puts a stream of its own in the place of `process.stderr`. To be called before that is used. */
export function separateStandardError(): void {
  const stream = ownStream()
  if (stream !== undefined) Object.defineProperty(process, 'stderr', { value: stream, configurable: true })
}

/** Undefined where the engine's own is as good: it opens terminals once more, and writes files as they are. */
function ownStream(): Writable | undefined {
  try {
    const kind = fstatSync(FD)
    if (kind.isFIFO()) return openAgain() ?? inThreads()
    return kind.isSocket() ? inThreads() : undefined
  } catch {
    return undefined
  }
}

/** The same pipe, with modes of its own. */
function openAgain(): Writable | undefined {
  let fd
  try {
    fd = openSync(`/proc/self/fd/${FD}`, constants.O_WRONLY | constants.O_NONBLOCK)
    return new Socket({ fd, readable: false, writable: true })
  } catch {
    if (fd !== undefined) closeSync(fd)
    return undefined
  }
}

/** Writes that block, in the engine's pool of threads. */
function inThreads(): Writable {
  return createWriteStream('', { fd: FD, autoClose: false })
}

/** Waits until all is written, or nobody takes it. */
export async function flushed(stream: Writable): Promise<void> {
  let left = Number.POSITIVE_INFINITY
  let movedMs = monotonicMs()
  while (stream.writableLength > 0 && !stream.destroyed) {
    if (stream.writableLength < left) {
      left = stream.writableLength
      movedMs = monotonicMs()
    } else if (monotonicMs() - movedMs > STUCK_MS) {
      return
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}
