/** Writes the relatives of an event's object as ECS: with all common fields in bounded texts, or as references. */

import type { EcsDocument, ObjectSpec, RelativeSpec } from '../event/spec.js'
import { type Leaf, objectSteps, treeOf } from './ecs-tree.js'
import type { Line } from './line.js'
import { flat } from './memo.js'
import { type Members, OBJECT, OWN, type Step, stepOf, type Writing } from './step.js'
import { withMemos, writeSteps } from './steps.js'

/** Relatives by their names in the declaration. */
export type Related = Readonly<Record<string, object | undefined>>

/** Those of an event that has none. */
export const NO_RELATIVES: Related = {}

/** Relatives of so many families are kept. Few: what they refer to stays in memory. */
const SLOTS = 8

/** What is written of the relatives of one object, for its siblings. */
class Siblings {
  readonly related: Related
  readonly isCut: boolean
  readonly #specs: readonly RelativeSpec[]
  readonly #ids: readonly (number | undefined)[]
  readonly #said: readonly (object | undefined)[]
  /** An object that is its own relative has no siblings. */
  readonly #isAlone: boolean
  readonly #text: string
  #isFlat = false

  constructor(
    specs: readonly RelativeSpec[],
    related: Related,
    object: Members,
    text: string,
    isCut: boolean,
  ) {
    this.#specs = specs
    this.related = related
    this.#ids = specs.map((spec) => spec.id(object))
    this.#said = specs.map(({ says }) => says?.value(object))
    this.#isAlone = specs.some(({ name }) => related[name] === object)
    this.#text = text
    this.isCut = isCut
  }

  /** Whether the text is that of this object, too. */
  isOf(object: Members): boolean {
    if (this.#isAlone) return false
    for (let i = 0; i < this.#specs.length; i++) {
      const spec = this.#specs[i] as RelativeSpec
      if (spec.id(object) !== this.#ids[i] || this.related[spec.name] === object) return false
      if (spec.says !== undefined && spec.says.value(object) !== this.#said[i]) return false
    }
    return true
  }

  get text(): string {
    if (!this.#isFlat) {
      this.#isFlat = true
      flat(this.#text)
    }
    return this.#text
  }
}

/** Writes the objects of events with their relatives. One event is written at a time. */
export class RelativesWriter {
  readonly #line: Line
  readonly #document: EcsDocument
  /** The event's. */
  related: Related = NO_RELATIVES
  #subject: Members | undefined = undefined
  /** What the event's object shows of its common members; undefined if that may be too long for a relative. */
  #common: string | undefined
  /**
   * Common members of relatives: a shell that starts a thousand processes is in the documents of all of them. A
   * delivered object never changes, so neither does its text.
   */
  #texts = new WeakMap<object, RelativeText>()
  #textCount = 0

  constructor(line: Line, document: EcsDocument) {
    this.#line = line
    this.#document = document
  }

  /** Steps for the object: what its relatives show as well, the rest, and the relatives. */
  stepsOf(object: ObjectSpec, leaves: readonly Leaf[], order: readonly string[]): Step[] {
    const tree = (some: readonly Leaf[]): Step[] => treeOf(some, order, `${object.place ?? ''}.`)
    const isCommon = ({ reach }: Leaf): boolean => reach === 'relatives' || reach === 'references'
    const shown: Shown = {
      common: withMemos(tree(leaves.filter(isCommon))),
      parent: tree(leaves.filter(({ reach }) => reach === 'parent')),
      references: tree(leaves.filter(({ reach }) => reach === 'references')),
    }
    const common = stepOf({ first: '', next: ',', form: OWN, steps: shown.common, write: this.#writeCommon })
    const rest = withMemos(tree(leaves.filter((leaf) => !isCommon(leaf))))
    const relatives = this.#shown(object.relatives)
    if (relatives.length === 0) return [common, ...rest]
    const steps = this.#stepsOfRelatives(relatives, shown)
    const write = this.#writingOfAll(relatives)
    return [common, ...rest, stepOf({ first: '', next: ',', form: OWN, steps, write })]
  }

  /** Siblings have the same relatives: what is written of them is kept for the next one. */
  #writingOfAll(specs: readonly RelativeSpec[]): Writing {
    const slots: (Siblings | undefined)[] = new Array(SLOTS).fill(undefined)
    return (step, event, subject, out, isFirst) => {
      const line = this.#line
      const { related } = this
      const slot = (specs[0]?.id(subject) ?? 0) & (SLOTS - 1)
      const known = line.isWhole ? slots[slot] : undefined
      if (known !== undefined && known.related === related && known.isOf(subject)) {
        line.hasCutRelatives ||= known.isCut
        return known.text === '' ? out : out + (isFirst ? '' : ',') + known.text
      }
      const text = writeSteps(step.steps, event, subject, '', true, line)
      if (line.isWhole && related !== NO_RELATIVES) {
        slots[slot] = new Siblings(specs, related, subject, text, line.hasCutRelatives)
      }
      return text === '' ? out : out + (isFirst ? '' : ',') + text
    }
  }

  #shown(relatives: readonly RelativeSpec[] = []): readonly RelativeSpec[] {
    return relatives.filter(({ only = this.#document }) => only === this.#document)
  }

  #stepsOfRelatives(relatives: readonly RelativeSpec[], shown: Shown): Step[] {
    return relatives.map((spec) =>
      stepOf({
        first: `"${spec.key}":{`,
        next: `,"${spec.key}":{`,
        form: OWN,
        steps: this.#stepsOfRelatives(this.#shown(spec.relatives), shown),
        write: this.#writingOf(spec, shown),
      }),
    )
  }

  readonly #writeCommon: Writing = (step, _event, subject, out, isFirst) => {
    const line = this.#line
    this.#subject = subject
    line.hasLongText = false
    const common = writeSteps(step.steps, undefined, subject, '', true, line)
    this.#common = line.hasLongText || !line.isWhole ? undefined : common
    return common === '' ? out : out + (isFirst ? step.first : step.next) + common
  }

  #writingOf({ name, id: idOf, shows, same, says }: RelativeSpec, shown: Shown): Writing {
    // Of an unknown relative only the id is known.
    const idLead = shown.references[0]?.first ?? ''
    const said = says === undefined ? [] : [saidStep(says, this.#document)]
    return (step, event, subject, out, isFirst) => {
      const id = idOf(subject)
      // Those of the kernel have none.
      if (id === undefined || id === 0) return out
      const line = this.#line
      const relative = this.related[name] as Members | undefined
      const before = line.enterRelative()
      let text = out + (isFirst ? step.first : step.next)
      if (relative === undefined) text += idLead + id
      else if (shows === 'references')
        text = writeSteps(shown.references, undefined, relative, text, true, line)
      else text += this.#textOf(relative, shown)
      if (shows === 'parent') text = writeSteps(shown.parent, undefined, relative, text, false, line)
      if (same !== undefined) text += `,"${same}":${relative === subject}`
      if (said.length > 0) text = writeSteps(said, undefined, subject, text, false, line)
      text = writeSteps(step.steps, event, relative, text, false, line)
      line.leaveRelative(before)
      return `${text}}`
    }
  }

  #textOf(relative: Members, { common }: Shown): string {
    const line = this.#line
    if (relative === this.#subject && this.#common !== undefined) return this.#common
    if (!line.isWhole) return writeSteps(common, undefined, relative, '', true, line)
    let known = this.#texts.get(relative)
    if (known === undefined) {
      const hadCut = line.hasCutRelatives
      line.hasCutRelatives = false
      const text = writeSteps(common, undefined, relative, '', true, line)
      known = { text: flat(text), isCut: line.hasCutRelatives }
      line.hasCutRelatives = hadCut
      this.#keep(relative, known)
    }
    line.hasCutRelatives ||= known.isCut
    return known.text
  }

  #keep(relative: Members, text: RelativeText): void {
    if (this.#textCount === MOST_TEXTS) {
      this.#texts = new WeakMap()
      this.#textCount = 0
    }
    this.#texts.set(relative, text)
    this.#textCount += 1
  }
}

function saidStep({ key, object, value }: NonNullable<RelativeSpec['says']>, document: EcsDocument): Step {
  const steps = objectSteps(object, document)
  return stepOf({ first: `"${key}":{`, next: `,"${key}":{`, form: OBJECT, value, steps, end: '}' })
}

/** Texts of so many relatives are kept. */
const MOST_TEXTS = 1024

interface RelativeText {
  readonly text: string
  readonly isCut: boolean
}

/** Steps for what is shown, by how much that is. */
interface Shown {
  readonly common: readonly Step[]
  /** Beside the common ones. */
  readonly parent: readonly Step[]
  readonly references: readonly Step[]
}
