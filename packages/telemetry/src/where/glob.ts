/**
 * Globs, matched in time that is bounded by the length of the pattern times that of the name: all ways through the pattern
 * are followed at once, and none is tried again.
 */

/** Longest pattern. */
export const MAX_GLOB_LENGTH = 256

/** A pattern that is none. `advice` says what to do. */
export class GlobError extends Error {
  override readonly name = 'GlobError'
}

/** What one step of a pattern accepts: a character, or any number of them. */
type Step =
  | { readonly kind: 'one'; readonly code: number }
  | { readonly kind: 'any' }
  | {
      readonly kind: 'set'
      readonly ranges: readonly (readonly [from: number, to: number])[]
      readonly isNot: boolean
    }
  /** `*` stops at a slash in a path; `**` does not. */
  | { readonly kind: 'star'; readonly crosses: boolean }

const SLASH = 47

/** Decides whether a name matches. */
export type Matcher = (name: string) => boolean

/**
 * Compiles a pattern:
 *
 * - `*` is any number of characters, in a path none of them a slash; `**` is any number of any characters;
 * - `?` is one character, in a path not a slash;
 * - `[abc]`, `[a-z]` is one of these, `[!abc]` one that is none of these;
 * - `\` takes the next character as it is; all others stand for themselves.
 *
 * Case counts. A pattern of a path that has no slash is about the last part of the path.
 *
 * @param isPath whether slashes separate the parts of a name
 * @throws {GlobError} for a pattern that is empty, too long, or does not end what it begins
 */
export function compileGlob(pattern: string, isPath: boolean): Matcher {
  if (pattern === '') throw new GlobError('give a pattern such as "python*"')
  if (pattern.length > MAX_GLOB_LENGTH) {
    throw new GlobError(`give a pattern of at most ${MAX_GLOB_LENGTH} characters`)
  }
  const steps = parse(pattern, isPath)
  const isLast = isPath && !pattern.includes('/')
  const match = matcherOf(steps, isPath)
  return isLast ? (name) => match(name.slice(name.lastIndexOf('/') + 1)) : match
}

function matcherOf(steps: readonly Step[], isPath: boolean): Matcher {
  const literal = literalOf(steps)
  if (literal.count === steps.length) return (name) => name === literal.text
  const { text } = literal
  const rest = new Simulation(steps.slice(literal.count), isPath)
  return (name) => name.startsWith(text) && rest.matches(name, text.length)
}

/** The characters at the beginning of a pattern that stand for themselves. */
function literalOf(steps: readonly Step[]): { readonly text: string; readonly count: number } {
  let text = ''
  let count = 0
  for (const step of steps) {
    if (step.kind !== 'one') break
    text += String.fromCodePoint(step.code)
    count += 1
  }
  return { text, count }
}

/** Follows all ways through a pattern at once. */
class Simulation {
  readonly #steps: readonly Step[]
  readonly #isPath: boolean
  /** 1 where a way has come to that step; the last one is the end. */
  #here: Uint8Array
  #next: Uint8Array

  constructor(steps: readonly Step[], isPath: boolean) {
    this.#steps = steps
    this.#isPath = isPath
    this.#here = new Uint8Array(steps.length + 1)
    this.#next = new Uint8Array(steps.length + 1)
  }

  matches(name: string, start: number): boolean {
    const steps = this.#steps
    const end = steps.length
    this.#here.fill(0)
    this.#enter(this.#here, 0)
    for (let at = start; at < name.length;) {
      const code = name.codePointAt(at) as number
      at += code > 0xffff ? 2 : 1
      const here = this.#here
      const next = this.#next.fill(0)
      let isAlive = false
      for (let i = 0; i < end; i++) {
        if (here[i] === 0) continue
        const step = steps[i] as Step
        if (!this.#accepts(step, code)) continue
        isAlive = true
        this.#enter(next, step.kind === 'star' ? i : i + 1)
      }
      if (!isAlive) return false
      this.#next = here
      this.#here = next
    }
    return this.#here[end] === 1
  }

  /** Comes to a step, and past the stars there, which may be nothing. */
  #enter(states: Uint8Array, index: number): void {
    for (let i = index; states[i] !== 1; i++) {
      states[i] = 1
      if (this.#steps[i]?.kind !== 'star') return
    }
  }

  #accepts(step: Step, code: number): boolean {
    switch (step.kind) {
      case 'one':
        return step.code === code
      case 'any':
        return !this.#isPath || code !== SLASH
      case 'star':
        return step.crosses || code !== SLASH
      case 'set':
        if (this.#isPath && code === SLASH) return false
        return step.ranges.some(([from, to]) => code >= from && code <= to) !== step.isNot
    }
  }
}

function parse(pattern: string, isPath: boolean): Step[] {
  const characters = [...pattern]
  const steps: Step[] = []
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] as string
    switch (character) {
      case '*': {
        let stars = 1
        while (characters[at + 1] === '*') {
          stars += 1
          at += 1
        }
        steps.push({ kind: 'star', crosses: !isPath || stars > 1 })
        break
      }
      case '?':
        steps.push({ kind: 'any' })
        break
      case '[': {
        const { step, end } = parseSet(characters, at)
        steps.push(step)
        at = end
        break
      }
      case '\\': {
        at += 1
        const next = characters[at]
        if (next === undefined) throw new GlobError('put a character behind the backslash at its end')
        steps.push({ kind: 'one', code: codeOf(next) })
        break
      }
      default:
        steps.push({ kind: 'one', code: codeOf(character) })
    }
  }
  return steps
}

function codeOf(character: string): number {
  return character.codePointAt(0) as number
}

/** Reads `[…]`, of which the first character is at `start`; a `]` that comes first stands for itself. */
function parseSet(
  characters: readonly string[],
  start: number,
): { readonly step: Step; readonly end: number } {
  const ranges: [from: number, to: number][] = []
  let at = start + 1
  const isNot = characters[at] === '!' || characters[at] === '^'
  if (isNot) at += 1
  const first = at
  const take = (): number => {
    if (characters[at] === '\\') at += 1
    const character = characters[at]
    if (character === undefined) throw new GlobError('close the "[" with a "]"')
    at += 1
    return codeOf(character)
  }
  while (characters[at] !== ']' || at === first) {
    const from = take()
    const isRange = characters[at] === '-' && characters[at + 1] !== ']' && characters[at + 1] !== undefined
    if (!isRange) {
      ranges.push([from, from])
      continue
    }
    at += 1
    const to = take()
    if (to < from) {
      const text = `${String.fromCodePoint(from)}-${String.fromCodePoint(to)}`
      throw new GlobError(`turn the range "${text}" round`)
    }
    ranges.push([from, to])
  }
  return { step: { kind: 'set', ranges, isNot }, end: at }
}
