import { TAIL_DELETED, TAIL_FAILED, TAIL_LENGTH_MASK, TAIL_TRUNCATED } from 'quark-ebpf/probe'
import { isCutPath, pathAt, rootAt, stringsAt, tailAt } from '../memory/text.js'

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
  #argvStrings: readonly string[] | undefined = undefined
  #envStrings: readonly string[] | undefined = undefined

  /**
   * @param text the record
   * @param start where its tails for exe, argv and env follow each other
   * @param exe descriptor, as `argv` and `env`
   * @param argvSizeBytes real size, as `envSizeBytes`
   */
  constructor(
    text: string,
    start: number,
    exe: number,
    argv: number,
    env: number,
    argvSizeBytes: number,
    envSizeBytes: number,
  ) {
    this.#text = text
    this.#start = start
    this.#exe = exe
    this.#argv = argv
    this.#env = env
    this.#argvSizeBytes = argvSizeBytes
    this.#envSizeBytes = envSizeBytes
  }

  /** The image that `pack` wrote at word `w`; `text` is the same as then. */
  static unpack(text: string, words: Uint32Array, w: number): Image {
    const word = (at: number): number => words[w + at] as number
    return new Image(text, word(0), word(1), word(2), word(3), word(4), word(5))
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

  get argv(): readonly string[] | undefined {
    if (!isCaptured(this.#argv)) return undefined
    this.#argvStrings ??= stringsAt(this.#text, this.#argvStart, this.#argv)
    return this.#argvStrings
  }

  /** A copy of the bytes. */
  get argvBytes(): Uint8Array | undefined {
    if (!isCaptured(this.#argv)) return undefined
    return Uint8Array.from(Buffer.from(tailAt(this.#text, this.#argvStart, this.#argv), 'latin1'))
  }

  get argvTruncated(): boolean {
    return isCaptured(this.#argv) && (this.#argv & TAIL_TRUNCATED) !== 0
  }

  get argvSizeBytes(): number | undefined {
    return isCaptured(this.#argv) ? this.#argvSizeBytes : undefined
  }

  get env(): readonly string[] | undefined {
    if (!isCaptured(this.#env)) return undefined
    const start = this.#argvStart + (this.#argv & TAIL_LENGTH_MASK)
    this.#envStrings ??= stringsAt(this.#text, start, this.#env)
    return this.#envStrings
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
}

/** False with a limit of 0: the strings were not captured. */
function isCaptured(descriptor: number): boolean {
  return (
    (descriptor & TAIL_FAILED) === 0 && (descriptor & (TAIL_TRUNCATED | TAIL_LENGTH_MASK)) !== TAIL_TRUNCATED
  )
}
