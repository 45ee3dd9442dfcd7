/**
 * Processes have much from their parents, so most events have the same values there as the one before. The text of such
 * members is kept: values that are the same again are compared, and not written.
 */

import type { Line } from './line.js'
import {
  GROUP,
  GROUP_NAME,
  GROUP_OF_USERS,
  type KeptText,
  type Members,
  type Step,
  USER,
  USER_NAME,
  type WriteAll,
} from './step.js'

/** Fewer members are as fast to write. */
const FEWEST = 2

/** The text of some steps, and what it was made of. */
export class Memo implements KeptText {
  readonly #steps: readonly Step[]
  readonly #leaves: readonly Step[]
  readonly #values: unknown[]
  readonly #names: (string | undefined)[]
  #isKnown = false
  #first = ''
  #next = ''

  constructor(steps: readonly Step[]) {
    this.#steps = steps
    this.#leaves = distinct(leavesOf(steps).filter(({ isDerived }) => !isDerived))
    this.#values = this.#leaves.map(() => undefined)
    this.#names = this.#leaves.map(() => undefined)
  }

  text(from: Members, isFirst: boolean, line: Line, write: WriteAll): string {
    if (!line.isWhole) return withComma(write(this.#steps, from, line), isFirst)
    if (!this.#isSame(from, line)) {
      const hadLongText = line.hasLongText
      line.hasLongText = false
      const text = write(this.#steps, from, line)
      // A long text counts in each line, and is cut in some.
      this.#isKnown = !line.hasLongText
      line.hasLongText ||= hadLongText
      this.#first = flat(text)
      this.#next = flat(withComma(text, false))
    }
    return isFirst ? this.#first : this.#next
  }

  #isSame(from: Members, { names }: Line): boolean {
    let isSame = this.#isKnown
    for (let i = 0; i < this.#leaves.length; i++) {
      const { form, name, value: read } = this.#leaves[i] as Step
      const value = read === undefined ? from[name] : read(from)
      if (value !== this.#values[i] && !isSameList(value, this.#values[i])) {
        this.#values[i] = value
        isSame = false
      }
      const isUser = form === USER || form === USER_NAME
      if ((!isUser && form !== GROUP_OF_USERS && form !== GROUP_NAME) || value === undefined) continue
      const known = isUser ? names.userName(value as number) : names.groupName(value as number)
      if (known === this.#names[i]) continue
      this.#names[i] = known
      isSame = false
    }
    return isSame
  }
}

/** Lists may be made anew whenever they are read: then they are the same if all in them is. */
function isSameList(value: unknown, other: unknown): boolean {
  if (!Array.isArray(value) || !Array.isArray(other) || value.length !== other.length) return false
  for (let i = 0; i < value.length; i++) if (value[i] !== other[i]) return false
  return true
}

/** The text of an object that does not change, which several events have one after the other. */
export class SameObject implements KeptText {
  readonly #steps: readonly Step[]
  readonly #value: (from: object) => unknown
  #object: unknown = undefined
  #text = ''

  constructor(step: Step) {
    this.#steps = [step]
    this.#value = step.value ?? ((from) => (from as Members)[step.name])
  }

  text(from: Members, isFirst: boolean, line: Line, write: WriteAll): string {
    const object = this.#value(from)
    if (object === undefined) return ''
    if (!line.isWhole) return withComma(write(this.#steps, from, line), isFirst)
    if (object !== this.#object) {
      this.#text = flat(write(this.#steps, from, line))
      // A long text counts in each line.
      this.#object = line.hasLongText ? undefined : object
    }
    return withComma(this.#text, isFirst)
  }
}

function withComma(text: string, isFirst: boolean): string {
  return isFirst || text === '' ? text : `,${text}`
}

/** The same text in one piece: one that is made of pieces is put together again in each line that it becomes a part of. */
export function flat(text: string): string {
  // Reading a character does it.
  text.charCodeAt(0)
  return text
}

/** Steps of which runs of inherited members are one. `join` makes the step of a run. */
export function joinInherited(steps: readonly Step[], join: (run: readonly Step[]) => Step): Step[] {
  const joined: Step[] = []
  let run: Step[] = []
  const endRun = (): void => {
    if (leavesOf(run).length >= FEWEST) joined.push(join(run))
    else joined.push(...run)
    run = []
  }
  for (const step of steps) {
    if (isInherited(step)) run.push(step)
    else {
      endRun()
      joined.push(step.form === GROUP ? { ...step, steps: joinInherited(step.steps, join) } : step)
    }
  }
  endRun()
  return joined
}

function isInherited(step: Step): boolean {
  return step.form === GROUP ? step.steps.every(isInherited) : step.isInherited
}

/** Steps of which each reads something else: two places of the same value are compared once, with its name if it has one. */
function distinct(leaves: readonly Step[]): Step[] {
  return leaves.filter(
    ({ form, name, value }, index) =>
      isOfNames(form) ||
      !leaves.some(
        (other, at) => (at < index || isOfNames(other.form)) && other.value === value && other.name === name,
      ),
  )
}

function isOfNames(form: number): boolean {
  return form === USER || form === USER_NAME || form === GROUP_OF_USERS || form === GROUP_NAME
}

function leavesOf(steps: readonly Step[]): Step[] {
  return steps.flatMap((step) => (step.form === GROUP ? leavesOf(step.steps) : step))
}
