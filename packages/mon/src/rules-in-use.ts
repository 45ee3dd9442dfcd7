/** The rules of a run, which SIGHUP has read again. */

import { closeSync, openSync } from 'node:fs'
import { type Quark, RuleError, type RuleSet, sanitise } from 'quark-telemetry'
import { findingsOf, problemsText, readRules, type RuleFindings, warningsText } from './rule-file.js'
import { errorText } from './report.js'

const STANDARD_INPUT = '-'
/** Rules that were replaced may still decide about events that are held: so many are kept, then what they found. */
const MAX_SETS = 8
const MAX_FOUND_CHARS = 1 << 16

export interface RulesInUseOptions {
  readonly path: string
  /** Writes to standard error. */
  readonly note: (text: string) => void
  /** Whether warnings are left out. */
  readonly isQuiet: boolean
  /** Whether they may be replaced: a recording is decided by one set of rules. */
  readonly isLive: boolean
}

export class RulesInUse {
  /** Those that the run begins with. */
  readonly first: RuleSet
  readonly #options: RulesInUseOptions
  readonly #sets: RuleSet[]
  /** What rules found that are not kept any more. */
  #found: RuleFindings = { text: '', hasFailed: false }
  #quark: Quark | undefined
  #isDue = false

  /**
   * Reads them, before the rights to their file are given up.
   *
   * @throws as `readRules`
   */
  constructor(options: RulesInUseOptions) {
    this.#options = options
    this.first = this.#read()
    this.#sets = [this.first]
  }

  /** Has other rules decide in a queue, from the next `reload` on. */
  watch(quark: Quark): void {
    this.#quark = quark
    if (this.#isDue) this.reload()
  }

  /** Reads the file again. What is wrong is reported, and the rules stay as they are. False if it is none that can be read again. */
  reload(): boolean {
    const { path, note, isQuiet, isLive } = this.#options
    if (!isLive || path === STANDARD_INPUT) return false
    this.#isDue = this.#quark === undefined
    if (this.#quark === undefined) return true
    try {
      const rules = this.#read()
      this.#quark.setRules(rules)
      this.#keep(rules)
      if (!isQuiet)
        note(
          `quark-mon: ${sanitise(path)} is read again: ${rules.size === 1 ? '1 rule decides' : `${rules.size} rules decide`} from now on\n`,
        )
    } catch (error) {
      note(
        `quark-mon: goes on with the rules that it has\n${error instanceof RuleError ? problemsText(error) : errorText(error, false)}`,
      )
    }
    return true
  }

  #read(): RuleSet {
    const { path, note, isQuiet } = this.#options
    const rules = readRules(path)
    if (!isQuiet) note(warningsText(rules, path))
    return rules
  }

  #keep(rules: RuleSet): void {
    this.#sets.push(rules)
    const oldest = this.#sets.length > MAX_SETS ? this.#sets.shift() : undefined
    if (oldest !== undefined) this.#found = this.#with(oldest)
  }

  /** What all rules of the run are to warn or fail about. */
  findings(): RuleFindings {
    for (const set of this.#sets.splice(0)) this.#found = this.#with(set)
    return this.#found
  }

  #with(rules: RuleSet): RuleFindings {
    const { text, hasFailed } = findingsOf(rules.counters(), this.#options.path)
    return {
      text: this.#found.text.length > MAX_FOUND_CHARS ? this.#found.text : this.#found.text + text,
      hasFailed: this.#found.hasFailed || hasFailed,
    }
  }
}

/** Whether this process has a terminal that can end it. */
export function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return true
  } catch {
    return false
  }
}
