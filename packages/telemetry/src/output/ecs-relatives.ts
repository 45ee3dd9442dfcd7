/** Writes the relatives of an event's object as ECS: with all common fields, or as references. */

import type { ObjectSpec, RelativeSpec } from '../event/spec.js'
import { type Leaf, treeOf } from './ecs-tree.js'
import { type Members, type Names, OWN, type Step, stepOf, type Writing, writeSteps } from './steps.js'

/** Relatives by their names in the declaration. */
export type Related = Readonly<Record<string, object | undefined>>

/** Writes the objects of events with their relatives. One event is written at a time. */
export class RelativesWriter {
  readonly #names: Names
  /** The event's. */
  related: Related = {}
  #subject: Members | undefined = undefined
  #common = ''
  /**
   * Text of the common members of relatives: a shell that starts a thousand processes is in the documents of all of
   * them. A delivered object never changes, so neither does its text.
   */
  readonly #texts = new WeakMap<object, string>()

  constructor(names: Names) {
    this.#names = names
  }

  /** Steps for the object: what its relatives show as well, the rest, and the relatives. */
  stepsOf(object: ObjectSpec, leaves: readonly Leaf[], order: readonly string[]): Step[] {
    const tree = (some: readonly Leaf[]): Step[] => treeOf(some, order, `${object.place ?? ''}.`)
    const isCommon = ({ reach }: Leaf): boolean => reach === 'relatives' || reach === 'references'
    const shown: Shown = {
      common: tree(leaves.filter(isCommon)),
      parent: tree(leaves.filter(({ reach }) => reach === 'parent')),
      references: tree(leaves.filter(({ reach }) => reach === 'references')),
    }
    const common = stepOf({ first: '', next: ',', form: OWN, steps: shown.common, write: this.#writeCommon })
    const rest = tree(leaves.filter((leaf) => !isCommon(leaf)))
    return [common, ...rest, ...this.#stepsOfRelatives(object.relatives, shown)]
  }

  #stepsOfRelatives(relatives: readonly RelativeSpec[] | undefined, shown: Shown): Step[] {
    return (relatives ?? []).map((spec) =>
      stepOf({
        first: `"${spec.key}":{`,
        next: `,"${spec.key}":{`,
        form: OWN,
        steps: this.#stepsOfRelatives(spec.relatives, shown),
        write: this.#writingOf(spec, shown),
      }),
    )
  }

  readonly #writeCommon: Writing = (step, _event, subject, out, isFirst) => {
    this.#subject = subject
    this.#common = writeSteps(step.steps, undefined, subject, '', true, this.#names)
    return this.#common === '' ? out : out + (isFirst ? step.first : step.next) + this.#common
  }

  #writingOf({ name, id: idOf, shows, same }: RelativeSpec, shown: Shown): Writing {
    // Of an unknown relative only the id is known.
    const idLead = shown.references[0]?.first ?? ''
    return (step, event, subject, out, isFirst) => {
      const id = idOf(subject)
      // Those of the kernel have none.
      if (id === undefined || id === 0) return out
      const relative = this.related[name] as Members | undefined
      let text = out + (isFirst ? step.first : step.next)
      if (relative === undefined) text += idLead + id
      else if (shows === 'references')
        text = writeSteps(shown.references, undefined, relative, text, true, this.#names)
      else text += this.#textOf(relative, shown)
      if (shows === 'parent') text = writeSteps(shown.parent, undefined, relative, text, false, this.#names)
      if (same !== undefined) text += `,"${same}":${relative === subject}`
      return `${writeSteps(step.steps, event, relative, text, false, this.#names)}}`
    }
  }

  #textOf(relative: Members, { common }: Shown): string {
    if (relative === this.#subject) return this.#common
    let text = this.#texts.get(relative)
    if (text === undefined) {
      text = writeSteps(common, undefined, relative, '', true, this.#names)
      this.#texts.set(relative, text)
    }
    return text
  }
}

/** Steps for what is shown, by how much that is. */
interface Shown {
  readonly common: readonly Step[]
  /** Beside the common ones. */
  readonly parent: readonly Step[]
  readonly references: readonly Step[]
}
