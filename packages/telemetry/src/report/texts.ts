/** Most characters of all texts that a report keeps: commands, paths, names. */
export const MAX_TEXT_CHARS = 1 << 24
/** What keeping a text costs beside its characters, in characters. */
const OVERHEAD_CHARS = 64

/** Texts, each kept once, in bounded memory. */
export class Texts {
  readonly #texts: string[] = []
  readonly #uses: number[] = []
  readonly #numbers = new Map<string, number>()
  readonly #free: number[] = []
  #leftChars: number

  constructor(maxChars: number = MAX_TEXT_CHARS) {
    this.#leftChars = maxChars
  }

  /** Keeps a text, once more if it is kept already. Its number; undefined if there is no room. */
  keep(text: string): number | undefined {
    const known = this.#numbers.get(text)
    if (known !== undefined) {
      this.#uses[known] = (this.#uses[known] as number) + 1
      return known
    }
    const chars = text.length + OVERHEAD_CHARS
    if (chars > this.#leftChars) return undefined
    this.#leftChars -= chars
    const number = this.#free.pop() ?? this.#texts.length
    this.#texts[number] = text
    this.#uses[number] = 1
    this.#numbers.set(text, number)
    return number
  }

  /** Gives up one use of a text. */
  release(number: number): void {
    const uses = (this.#uses[number] as number) - 1
    this.#uses[number] = uses
    if (uses > 0) return
    const text = this.at(number)
    this.#numbers.delete(text)
    this.#leftChars += text.length + OVERHEAD_CHARS
    this.#texts[number] = ''
    this.#free.push(number)
  }

  at(number: number): string {
    return this.#texts[number] as string
  }
}
