import { monotonicMs } from './clock.js'
import {
  closeSync,
  constants as fsConstants,
  createWriteStream,
  openSync,
  readFileSync,
  readlinkSync,
  statSync,
} from 'node:fs'
import { Socket } from 'node:net'
import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { isOpenedHere, type QuarkEvent } from 'quark-telemetry'
import type { Opened } from './rotation.js'
import { readyToAppend } from './append.js'
import type { Settings } from './settings.js'
import type { Terminal } from './terminal.js'

/** The outputs of a command. */
export interface Io {
  /** Writes events; resolves when there is room for more, at once when the reader has gone away. */
  readonly write: (text: string) => Promise<void>
  /** Writes the first text, and another one at the head of each further file. */
  readonly begin: (text: string, further: string) => Promise<void>
  /** Most characters that should be written at once. */
  readonly pieceChars: number
  /** Writes a message for the person at the terminal, which must end with a newline. */
  readonly note: (text: string) => void
  /** Reports what is missing or lost, unless `isSilent`; nothing is if the text is empty. With --strict the run fails. */
  readonly lose: (text: string, isSilent?: boolean) => void
  /** Called with events that were taken, whether or not they are shown. */
  readonly count?: ((batch: readonly QuarkEvent[]) => void) | undefined
  /** Whether events are coloured. */
  readonly colour: boolean
  /** The terminal that events go to, if they go to one. */
  readonly terminal?: Terminal | undefined
  /** Ends the run: a signal came, the reader went away, or the time is over. */
  readonly signal: AbortSignal
  /** Ends it soon: of what is held, no more is written than takes a moment. Not aborted when the time is over. */
  readonly hurry: AbortSignal
}

/** At the end of a run, a reader that takes nothing for so long is given up. */
const STUCK_MS = 1000
/** Text is written in pieces of about this size: that of a whole batch may not fit into memory. */
export const PIECE_CHARS = 64 << 10
const STUCK = 'ETIMEDOUT'
const FLUSH_LOOK_MS = 2
/** How often a FIFO is tried that nobody reads yet. */
const FIFO_LOOK_MS = 20

/** An output that ends the run when nobody reads it any more. */
export class Output {
  #stream: Writable
  readonly #end: () => void
  readonly #next: ((bytes: number) => Opened | undefined) | undefined
  /** Streams that were replaced and are not closed yet. */
  readonly #before = new Set<Writable>()
  #error: NodeJS.ErrnoException | undefined
  #unwrittenLines = 0
  /** What each further stream begins with. */
  #head = ''

  /**
   * @param end called when the stream failed; it may be called more than once
   * @param next called before so many bytes are written; may return another stream for them and all that follow
   */
  constructor(stream: Writable, end: () => void, next?: (bytes: number) => Opened | undefined) {
    this.#stream = stream
    this.#end = end
    this.#next = next
    this.#watch(stream)
  }

  /**
   * Writes whole lines and waits until the stream wants more, or `signal` is aborted.
   */
  async write(text: string, signal: AbortSignal): Promise<void> {
    if (this.#error !== undefined) {
      this.#unwrittenLines += lineCount(text)
      return
    }
    if (this.#next !== undefined) this.rotate(Buffer.byteLength(text))
    const stream = this.#stream
    if (this.#writeTo(stream, text) || signal.aborted) return
    await new Promise<void>((resolve) => {
      const proceed = (): void => {
        stream.off('drain', proceed)
        stream.off('close', proceed)
        signal.removeEventListener('abort', proceed)
        resolve()
      }
      stream.on('drain', proceed)
      stream.on('close', proceed)
      signal.addEventListener('abort', proceed)
    })
  }

  /** False when the stream wants no more for now. */
  #writeTo(stream: Writable, text: string): boolean {
    if (text === '') return true
    const lines = lineCount(text)
    this.#unwrittenLines += lines
    // Here an error is known as soon as nothing waits any more; the event of it comes when the file was closed.
    return stream.write(text, (error) => {
      if (error == null) this.#unwrittenLines -= lines
      else this.#fail(error)
    })
  }

  /** As `write`, the first text; with another one at the head of each stream that follows. */
  async begin(text: string, further: string, signal: AbortSignal): Promise<void> {
    this.#head = further
    await this.write(text, signal)
  }

  /** Continues with another stream; an empty file begins with the head. What was written before goes to the old one. */
  replace({ stream, isEmpty }: Opened): void {
    const before = this.#stream
    this.#watch(stream)
    this.#stream = stream
    if (isEmpty) this.#writeTo(stream, this.#head)
    this.#before.add(before)
    before.on('close', () => this.#before.delete(before))
    before.end()
  }

  /** Continues with the stream that is to take the next bytes, if that is another one. */
  rotate(bytes = 0): void {
    const opened = this.#error === undefined ? this.#next?.(bytes) : undefined
    if (opened !== undefined) this.replace(opened)
  }

  /** Lines that are not written yet, or after a failure never are; the first of them may be in part. */
  get unwrittenLines(): number {
    return this.#unwrittenLines
  }

  /** Waits until all text is written, or cannot be: an error, or a reader that takes nothing. */
  async flush(): Promise<void> {
    let leftBytes = Number.POSITIVE_INFINITY
    let movedMs = monotonicMs()
    for (let bytes = this.#waiting(); bytes > 0; bytes = this.#waiting()) {
      if (bytes < leftBytes) {
        leftBytes = bytes
        movedMs = monotonicMs()
      } else if (monotonicMs() - movedMs > STUCK_MS) {
        this.#error = Object.assign(new Error(`nobody reads it: ${leftBytes} bytes are not written`), {
          code: STUCK,
        })
        return
      }
      await sleep(FLUSH_LOOK_MS)
    }
    // Of a stream that writes at once, the error of the last write comes after the write itself.
    await new Promise((resolve) => setImmediate(resolve))
  }

  /** What went wrong; a reader that went away is not an error, it is how `quark-mon | head` ends. */
  get failure(): Error | undefined {
    return this.#error?.code === 'EPIPE' ? undefined : this.#error
  }

  /** Bytes that the streams have not written; 0 after a failure. */
  #waiting(): number {
    if (this.#error !== undefined) return 0
    let bytes = this.#stream.writableLength
    for (const { writableLength } of this.#before) bytes += writableLength
    return bytes
  }

  #watch(stream: Writable): void {
    stream.on('error', (error: NodeJS.ErrnoException) => this.#fail(error))
  }

  #fail(error: NodeJS.ErrnoException): void {
    if (this.#error !== undefined) return
    this.#error = error
    this.#end()
  }
}

function lineCount(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count += 1
  return count
}

/**
 * Waits until all text of an output is written.
 *
 * @throws when it cannot be, unless nobody reads it
 */
export async function finish(output: Output): Promise<void> {
  await output.flush()
  if (output.failure !== undefined) throw new Error('Cannot write the output', { cause: output.failure })
}

/** Whether `finish` failed because the reader takes nothing. */
export function isStuck(error: unknown): boolean {
  return error instanceof Error && (error.cause as NodeJS.ErrnoException | undefined)?.code === STUCK
}

/** Writes all of the text to standard output. */
export async function print(text: string): Promise<void> {
  const output = new Output(process.stdout, () => {})
  await output.write(text, new AbortController().signal)
  await finish(output)
}

/**
 * The stream that events go to: standard output, standard error if a command is run, or the file of `--output`, which is opened at once; a FIFO when
 * somebody reads it.
 *
 * @returns undefined when `signal` was aborted before somebody read a FIFO
 * @throws when the file cannot be opened, or standard output is closed
 */
export async function openOutput(
  settings: Pick<Settings, 'output' | 'truncate' | 'benchmark' | 'bufferGraph' | 'command'>,
  signal: AbortSignal,
): Promise<Writable | undefined> {
  const { output: path, truncate, benchmark, bufferGraph, command } = settings
  if (path === undefined) {
    // Standard output is the command's.
    if (command !== undefined) return process.stderr
    if (!benchmark && bufferGraph === undefined) checkStandardOutput()
    return process.stdout
  }
  return isFifo(path) ? openFifo(path, signal) : openFile(path, truncate)
}

/** Opens the file again, which others may have renamed, removed or truncated. What it contains is kept. */
export function reopenFile(path: string): Opened {
  const stream = openFile(path)
  return { stream, isEmpty: statSync(path).size === 0 }
}

/** Opened for appending: if others truncate the file, as `copytruncate` does, no hole is left in it. */
function openFile(path: string, truncates = false): Writable {
  const fd = openSync(path, fsConstants.O_WRONLY | fsConstants.O_CREAT | fsConstants.O_APPEND, 0o600)
  try {
    readyToAppend(fd, path, truncates)
  } catch (error) {
    closeSync(fd)
    throw error
  }
  return createWriteStream(path, { fd })
}

function isFifo(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFIFO() === true
}

/** Opening a FIFO that nobody reads would stop this process, signals and timers included, until somebody does. */
async function openFifo(path: string, signal: AbortSignal): Promise<Writable | undefined> {
  for (;;) {
    try {
      const fd = openSync(path, fsConstants.O_WRONLY | fsConstants.O_NONBLOCK)
      return new Socket({ fd, readable: false, writable: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error
    }
    await sleep(FIFO_LOOK_MS, undefined, { signal }).catch(() => {})
    if (signal.aborted) return undefined
  }
}

/**
 * Where standard output is closed at the start, the engine puts /dev/null in its place, for reading and writing, and all
 * events would go nowhere. Programs that throw output away on purpose, such as those of Node.js (`stdio: 'ignore'`) and
 * Python, may open it in the same way. Where it cannot be known who opened it, as without privileges, it counts that
 * mostly they throw away standard error as well.
 *
 * @throws when it was closed
 */
function checkStandardOutput(): void {
  if (!isFilledIn(1)) return
  const isClosed = isOpenedHere(1)
  if (isClosed === false || (isClosed === undefined && isFilledIn(2))) return
  throw new Error(
    `Standard output is closed${isClosed === undefined ? ', or thrown away by the program that started this' : ''} ` +
      '(give -o FILE, or > /dev/null if no output is wanted)',
  )
}

function isFilledIn(fd: number): boolean {
  try {
    const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? ''
    const isBoth = (Number.parseInt(flags, 8) & 3) === fsConstants.O_RDWR
    return isBoth && readlinkSync(`/proc/self/fd/${fd}`) === '/dev/null'
  } catch {
    return false
  }
}

/** Whether text is coloured, by the option, the environment, and what the stream is. */
export function wantsColour(
  colour: Settings['colour'],
  environment: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): boolean {
  if (colour !== 'auto') return colour === 'always'
  const { NO_COLOR: noColour = '', FORCE_COLOR: forceColour = '' } = environment
  if (noColour !== '') return false
  return isTerminal || (forceColour !== '' && forceColour !== '0')
}
