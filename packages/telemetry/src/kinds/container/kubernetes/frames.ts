/** What quark-kube-talker writes: a length in the byte order of the machine, and so many bytes of JSON. */

import { closeSync, constants, createReadStream, fstatSync, openSync } from 'node:fs'
import { endianness } from 'node:os'
import type { Readable } from 'node:stream'
import { QuarkError } from '../../../errors.js'
import { membersOf, textOf } from '../details.js'
import type { Reports } from '../reports.js'
import type { Asking } from '../runtimes/runtime.js'
import { podReportOf } from './pods.js'

const { O_NONBLOCK, O_RDONLY, O_RDWR } = constants

/** The longest message of the C library. */
const MAX_FRAME_BYTES = 4 * 1024 * 1024 - 4
const LENGTH_BYTES = 4

/** Takes bytes as they come, and calls `take` with each whole message. */
export class Frames {
  readonly #take: (message: unknown) => void
  #rest: Buffer[] = []
  #restBytes = 0

  constructor(take: (message: unknown) => void) {
    this.#take = take
  }

  /** @throws {RangeError} for a message that is too long: nothing that follows can be understood */
  add(piece: Buffer): void {
    this.#rest.push(piece)
    this.#restBytes += piece.length
    for (let length = this.#length(); length !== undefined; length = this.#length()) {
      if (length > MAX_FRAME_BYTES) throw new RangeError(`a message of ${length} bytes is too long`)
      if (this.#restBytes < LENGTH_BYTES + length) return
      const all = Buffer.concat(this.#rest)
      const text = all.toString('utf8', LENGTH_BYTES, LENGTH_BYTES + length)
      this.#rest = [all.subarray(LENGTH_BYTES + length)]
      this.#restBytes = all.length - LENGTH_BYTES - length
      this.#parse(text)
    }
  }

  #length(): number | undefined {
    if (this.#restBytes < LENGTH_BYTES) return undefined
    if ((this.#rest[0] as Buffer).length < LENGTH_BYTES) this.#rest = [Buffer.concat(this.#rest)]
    const [first] = this.#rest as [Buffer]
    return endianness() === 'LE' ? first.readUInt32LE() : first.readUInt32BE()
  }

  #parse(text: string): void {
    let message: unknown
    try {
      message = JSON.parse(text)
    } catch {
      // As by the C library: the next message may be whole again.
      return
    }
    this.#take(message)
  }
}

/** Reports what a message says of the cluster or of a pod. */
export function reportMessage(message: unknown, reports: Reports): void {
  const members = membersOf(message)
  switch (members['kind']) {
    case 'Pod': {
      const report = podReportOf(message)
      if (report === undefined) return
      const { pod, containers } = report
      // The talker does not say that a pod is gone, but that it is to go.
      if (membersOf(members['metadata'])['deletionTimestamp'] !== undefined) {
        reports.podGone(pod.uid)
        return
      }
      reports.pod(pod)
      for (const container of containers) reports.container(container)
      return
    }
    case 'ClusterVersion':
      reports.cluster({ version: textOf(members['version']) })
      return
    case 'GcpMeta': {
      const attributes = membersOf(membersOf(members['instance'])['attributes'])
      reports.cluster({ name: textOf(attributes['cluster-name']), id: textOf(attributes['cluster-uid']) })
      return
    }
    default:
  }
}

/**
 * Reads messages from a file, FIFO or descriptor: of a file until its end.
 *
 * @throws {QuarkError} ERR_QUARK_SYSTEM when it cannot be opened
 */
export function framesOf(path: string, reports: Reports): Asking {
  const stream = streamOf(path)
  const frames = new Frames((message) => reportMessage(message, reports))
  stream.on('data', (piece) => {
    try {
      frames.add(piece as Buffer)
    } catch (error) {
      reports.problem(path, error)
      stream.destroy()
    }
  })
  stream.on('error', (error) => reports.problem(path, error))
  return { close: () => void stream.destroy() }
}

/** Opens it at once: later the process may have another root directory. */
function streamOf(path: string): Readable {
  let fd: number | undefined
  try {
    fd = openSync(path, O_RDONLY | O_NONBLOCK)
    if (!fstatSync(fd).isFIFO()) return createReadStream('', { fd })
    const pipe = withoutEnd(path, fd)
    fd = pipe
    // Loaded when it is needed: that takes some ms of a start.
    const net = process.getBuiltinModule('node:net')
    const socket = new net.Socket({ fd: pipe, readable: true, writable: false })
    // It keeps no process that is done with its work.
    return socket.unref()
  } catch (error) {
    if (fd !== undefined) closeSync(fd)
    throw new QuarkError('ERR_QUARK_SYSTEM', `${path} cannot be read: ${(error as Error).message}`)
  }
}

/** The same FIFO for writing, too, if that is allowed: then it does not end before a writer comes, and when one goes. */
function withoutEnd(path: string, fd: number): number {
  try {
    const pipe = openSync(path, O_RDWR | O_NONBLOCK)
    closeSync(fd)
    return pipe
  } catch {
    return fd
  }
}
