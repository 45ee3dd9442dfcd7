import { openSync, createWriteStream } from 'node:fs'
import type { Writable } from 'node:stream'
import type { Settings } from './settings.js'

/** Where a command writes. */
export interface Io {
  /** Writes events; resolves when there is room for more, at once when the reader has gone away. */
  readonly write: (text: string) => Promise<void>
  /** Writes a message for the person at the terminal, which must end with a newline. */
  readonly note: (text: string) => void
  /** Whether events are coloured. */
  readonly colour: boolean
  /** Ends the run: a signal came, the reader went away, or the time is over. */
  readonly signal: AbortSignal
}

/** An output that ends the run when nobody reads it any more. */
export class Output {
  readonly #stream: Writable
  readonly #end: () => void
  #error: NodeJS.ErrnoException | undefined

  /** @param end called when the stream failed; it may be called more than once */
  constructor(stream: Writable, end: () => void) {
    this.#stream = stream
    this.#end = end
    stream.on('error', (error) => this.#fail(error))
  }

  /**
   * Writes text and waits until the stream wants more, or `signal` is aborted.
   */
  async write(text: string, signal: AbortSignal): Promise<void> {
    if (this.#error !== undefined || this.#stream.write(text) || signal.aborted) return
    await new Promise<void>((resolve) => {
      const proceed = (): void => {
        this.#stream.off('drain', proceed)
        this.#stream.off('close', proceed)
        signal.removeEventListener('abort', proceed)
        resolve()
      }
      this.#stream.on('drain', proceed)
      this.#stream.on('close', proceed)
      signal.addEventListener('abort', proceed)
    })
  }

  /** Waits until all text is written, or cannot be. */
  async flush(): Promise<void> {
    if (this.#error !== undefined) return
    await new Promise<void>((resolve) => {
      // The callback comes before the error event.
      this.#stream.write('', (error) => {
        if (error) this.#fail(error)
        resolve()
      })
    })
  }

  /** What went wrong; a reader that went away is not an error, it is how `quark-mon | head` ends. */
  get failure(): Error | undefined {
    return this.#error?.code === 'EPIPE' ? undefined : this.#error
  }

  #fail(error: NodeJS.ErrnoException): void {
    this.#error ??= error
    this.#end()
  }
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

/** Writes text to standard output, all of it. */
export async function print(text: string): Promise<void> {
  const output = new Output(process.stdout, () => {})
  await output.write(text, new AbortController().signal)
  await finish(output)
}

/**
 * The stream that events go to: standard output, or the file that was asked for, which is opened at once.
 *
 * @throws when the file cannot be opened
 */
export function openOutput(settings: Pick<Settings, 'output'>): Writable {
  if (settings.output === undefined) return process.stdout
  return createWriteStream(settings.output, { fd: openSync(settings.output, 'w') })
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
