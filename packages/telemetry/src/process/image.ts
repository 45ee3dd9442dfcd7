import { TAIL_DELETED, TAIL_FAILED, TAIL_LENGTH_MASK, TAIL_PSEUDO, TAIL_TRUNCATED } from 'quark-ebpf/probe'
import type { Redaction } from '../event/redaction.js'
import type { Executable } from './executable.js'
import { isCutPath, ownLatin1, pathAt, rootAt, stringsAt, tailAt } from '../memory/text.js'

/** So many strings, of so many bytes, are kept once they were read: each needs some 40 bytes, even if it is empty. */
const MAX_KEPT_STRINGS = 24
const MAX_KEPT_BYTES = 1024
/** What the object and the strings that it keeps need beside the text, estimated. */
const OBJECT_BYTES = 512

/** Strings that are not kept with their image. */
interface LastRead {
  /** Arguments, or an environment. */
  readonly isArgv: boolean
  readonly tail: string
  readonly strings: readonly string[]
  /** Whose work `shown` is. */
  redaction: Redaction | undefined
  /** The strings without secrets, once somebody asked for them. */
  shown: readonly string[] | undefined
}

/**
 * The strings that were read last of those that are not kept: a loop over them, or events of some processes in turns, do not
 * cut them out, nor look for secrets in them, each time. Many processes that were given the same have it once: a list of many
 * strings takes up to 8 bytes for each byte of a record.
 */
const lastRead: LastRead[] = Array.from({ length: 4 }, () => lastReadOf(true, '', []))
let oldest = 0

function lastReadOf(isArgv: boolean, tail: string, strings: readonly string[]): LastRead {
  return { isArgv, tail, strings, redaction: undefined, shown: undefined }
}

/**
 * What an exec gave a process: program, arguments and environment, as tails of its record.
 * Immutable, and shared with the children until they exec.
 */
export class Image {
  readonly #text: string
  /** Where the three tails begin. */
  readonly #start: number
  readonly #exe: number
  readonly #argv: number
  readonly #env: number
  readonly #argvSizeBytes: number
  readonly #envSizeBytes: number
  readonly #redaction: Redaction | undefined
  #argvStrings: readonly string[] | undefined = undefined
  #envStrings: readonly string[] | undefined = undefined
  /** What `argv` and `env` are without secrets, for those that are kept. */
  #shownArgv: readonly string[] | undefined = undefined
  #shownEnv: readonly string[] | undefined = undefined
  /** What is known of the file of exe. Set, if at all, before an event with the image is delivered. */
  file: Executable | undefined = undefined
  /** How many of those that are counted in a table have it. */
  holders = 0

  /**
   * @param text the record
   * @param start where its tails for exe, argv and env follow each other
   * @param exe descriptor, as `argv` and `env`
   * @param argvSizeBytes real size, as `envSizeBytes`
   * @param redaction takes the secrets out of what is read; nothing does without
   */
  constructor(
    text: string,
    start: number,
    exe: number,
    argv: number,
    env: number,
    argvSizeBytes: number,
    envSizeBytes: number,
    redaction?: Redaction,
  ) {
    this.#text = text
    this.#start = start
    this.#exe = exe
    this.#argv = argv
    this.#env = env
    this.#argvSizeBytes = argvSizeBytes
    this.#envSizeBytes = envSizeBytes
    this.#redaction = redaction
  }

  /** The image that `pack` wrote at word `w`; `text` is the same as then. */
  static unpack(text: string, words: Uint32Array, w: number, redaction?: Redaction): Image {
    const word = (at: number): number => words[w + at] as number
    return new Image(text, word(0), word(1), word(2), word(3), word(4), word(5), redaction)
  }

  get textBytes(): number {
    return this.#text.length
  }

  /** Memory that it takes, estimated. */
  get sizeBytes(): number {
    return OBJECT_BYTES + this.#text.length
  }

  /** The same in a text of its own of at most `maxBytes`: of the program half of that, and argv before the environment. */
  cut(maxBytes: number): Image {
    const exeBytes = this.#exe & TAIL_LENGTH_MASK
    const argvBytes = this.#argv & TAIL_LENGTH_MASK
    const envBytes = this.#env & TAIL_LENGTH_MASK
    const exe = cutTail(this.#exe, maxBytes >> 1)
    const left = maxBytes - (exe & TAIL_LENGTH_MASK)
    // Something stays of each: an empty one that is cut was not captured.
    const argv = cutTail(this.#argv, Math.max(left - Math.min(envBytes, maxBytes >> 3), maxBytes >> 3))
    const env = cutTail(this.#env, left - (argv & TAIL_LENGTH_MASK))
    const part = (start: number, tail: number): string =>
      this.#text.slice(start, start + (tail & TAIL_LENGTH_MASK))
    const argvStart = this.#start + exeBytes
    const text = part(this.#start, exe) + part(argvStart, argv) + part(argvStart + argvBytes, env)
    const copy = new Image(
      ownLatin1(text),
      0,
      exe,
      argv,
      env,
      this.#argvSizeBytes,
      this.#envSizeBytes,
      this.#redaction,
    )
    copy.file = this.file
    return copy
  }

  /** The same, of whose file something else is known. */
  withFile(file: Executable): Image {
    const copy = new Image(
      this.#text,
      this.#start,
      this.#exe,
      this.#argv,
      this.#env,
      this.#argvSizeBytes,
      this.#envSizeBytes,
      this.#redaction,
    )
    copy.file = file
    return copy
  }

  /** Whether its tails are those of that record. */
  isIn(text: string): boolean {
    return this.#text === text
  }

  /** Writes all but the text: six words, from word `w` on. */
  pack(words: Uint32Array, w: number): void {
    words[w] = this.#start
    words[w + 1] = this.#exe
    words[w + 2] = this.#argv
    words[w + 3] = this.#env
    words[w + 4] = this.#argvSizeBytes
    words[w + 5] = this.#envSizeBytes
  }

  get exe(): string | undefined {
    return (this.#exe & TAIL_FAILED) === 0 ? pathAt(this.#text, this.#start, this.#exe) : undefined
  }

  get exeDeleted(): boolean {
    return (this.#exe & TAIL_DELETED) !== 0
  }

  /** The upper part of exe is missing. */
  get exeTruncated(): boolean {
    return (this.#exe & TAIL_FAILED) === 0 && isCutPath(this.#text, this.#start, this.#exe)
  }

  /** The walk of exe ended early, maybe above the process's root. */
  get isWalkCut(): boolean {
    return (this.#exe & TAIL_TRUNCATED) !== 0
  }

  /** The process's root directory, if the walk of exe has shown it. */
  get root(): string | undefined {
    return (this.#exe & TAIL_FAILED) === 0 ? rootAt(this.#text, this.#start, this.#exe) : undefined
  }

  /** The arguments as they are, whatever is shown. */
  get realArgv(): readonly string[] | undefined {
    if (!isCaptured(this.#argv)) return undefined
    return this.#argvStrings ?? this.#read(this.#argvStart, this.#argv, true)
  }

  /** The arguments without secrets: the same array, if there are none. */
  get argv(): readonly string[] | undefined {
    const real = this.realArgv
    if (real === undefined || this.#redaction === undefined) return real
    if (this.#shownArgv !== undefined) return this.#shownArgv
    if (real === this.#argvStrings) return (this.#shownArgv = this.#redaction.argv(real))
    const last = lastRead.find(({ strings }) => strings === real)
    if (last?.shown !== undefined && last.redaction === this.#redaction) return last.shown
    const shown = this.#redaction.argv(real)
    if (last !== undefined) Object.assign(last, { shown, redaction: this.#redaction })
    return shown
  }

  /** Secrets in `argv` were replaced. */
  get argvRedacted(): boolean {
    return this.#redaction !== undefined && this.argv !== this.realArgv
  }

  /** A copy of the bytes, without secrets. */
  get argvBytes(): Uint8Array | undefined {
    if (!isCaptured(this.#argv)) return undefined
    const tail = tailAt(this.#text, this.#argvStart, this.#argv)
    const shown = this.#redaction?.argvBytes(tail) ?? tail
    return Uint8Array.from(Buffer.from(shown, 'latin1'))
  }

  get argvTruncated(): boolean {
    return isCaptured(this.#argv) && (this.#argv & TAIL_TRUNCATED) !== 0
  }

  get argvSizeBytes(): number | undefined {
    return isCaptured(this.#argv) ? this.#argvSizeBytes : undefined
  }

  /** The environment as it is, whatever is shown. */
  get realEnv(): readonly string[] | undefined {
    if (!isCaptured(this.#env)) return undefined
    const start = this.#argvStart + (this.#argv & TAIL_LENGTH_MASK)
    return this.#envStrings ?? this.#read(start, this.#env, false)
  }

  /** The environment without secrets: the same array, if there are none. */
  get env(): readonly string[] | undefined {
    const real = this.realEnv
    if (real === undefined || this.#redaction === undefined) return real
    if (this.#shownEnv !== undefined) return this.#shownEnv
    if (real === this.#envStrings) return (this.#shownEnv = this.#redaction.env(real))
    const last = lastRead.find(({ strings }) => strings === real)
    if (last?.shown !== undefined && last.redaction === this.#redaction) return last.shown
    const shown = this.#redaction.env(real)
    if (last !== undefined) Object.assign(last, { shown, redaction: this.#redaction })
    return shown
  }

  /** Whether an ASCII text is in the environment as it is; undefined if that is not known. Nothing is decoded for it. */
  isInEnv(text: string): boolean | undefined {
    if (!isCaptured(this.#env)) return undefined
    if (this.#envStrings !== undefined) return this.#envStrings.some((variable) => variable.includes(text))
    const start = this.#argvStart + (this.#argv & TAIL_LENGTH_MASK)
    return tailAt(this.#text, start, this.#env).includes(text)
  }

  /** Secrets in `env` were replaced. */
  get envRedacted(): boolean {
    return this.#redaction !== undefined && this.env !== this.realEnv
  }

  get envTruncated(): boolean {
    return isCaptured(this.#env) && (this.#env & TAIL_TRUNCATED) !== 0
  }

  get envSizeBytes(): number | undefined {
    return isCaptured(this.#env) ? this.#envSizeBytes : undefined
  }

  get #argvStart(): number {
    return this.#start + (this.#exe & TAIL_LENGTH_MASK)
  }

  /** The strings of a tail, which are kept if they are few. */
  #read(start: number, descriptor: number, isArgv: boolean): readonly string[] {
    const text = this.#text
    const sizeBytes = descriptor & TAIL_LENGTH_MASK
    const tail = tailAt(text, start, descriptor)
    for (const last of lastRead) {
      if (last.isArgv === isArgv && last.tail === tail) return last.strings
    }
    const strings = stringsAt(text, start, descriptor)
    const isSmall = strings.length <= MAX_KEPT_STRINGS && sizeBytes <= MAX_KEPT_BYTES
    if (!isSmall) {
      lastRead[oldest] = lastReadOf(isArgv, tail, strings)
      oldest = (oldest + 1) % lastRead.length
    } else if (isArgv) {
      this.#argvStrings = strings
    } else {
      this.#envStrings = strings
    }
    return strings
  }
}

/** A descriptor for the beginning of a tail. */
export function cutTail(descriptor: number, maxBytes: number): number {
  // A name without a place is short, and there is no mark for the part of one.
  if ((descriptor & TAIL_LENGTH_MASK) <= maxBytes || (descriptor & TAIL_PSEUDO) !== 0) return descriptor
  return (descriptor & ~TAIL_LENGTH_MASK) | TAIL_TRUNCATED | maxBytes
}

/** False with a limit of 0: the strings were not captured. */
function isCaptured(descriptor: number): boolean {
  return (
    (descriptor & TAIL_FAILED) === 0 && (descriptor & (TAIL_TRUNCATED | TAIL_LENGTH_MASK)) !== TAIL_TRUNCATED
  )
}
