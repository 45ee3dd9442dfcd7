/**
 * Directories in which nothing is wanted. What happens there is left out before it is read, and of content and attributes the
 * kernel makes no events any more.
 */

import { EbpfError, FAN_ATTRIB, FAN_MODIFY, type FanotifyGroup, handleOfKey } from 'quark-ebpf'
import type { DirectoryNames } from './names.js'

/** Directories that are known, and of these that the kernel ignores. */
const MAX_UNWANTED = 32_768
const MAX_IGNORED = 4096
/** After so many further events a directory is ignored once more: the kernel may have forgotten it. */
const IGNORED_AGAIN = 256
/** Not what happens to names: if the directory is moved to where that is wanted, it is to be known from then on. */
const IGNORED = FAN_MODIFY | FAN_ATTRIB

export class UnwantedDirectories {
  readonly #group: FanotifyGroup
  readonly #mask: number
  /** How many events there were in each, by its key. */
  readonly #counts = new Map<string, number>()
  readonly #busy: string[] = []
  #ignored = 0
  /** Before Linux 6.0, and without rights, nothing can be ignored. */
  #canIgnore = true

  /** @param mask what is watched */
  constructor(group: FanotifyGroup, mask: number) {
    this.#group = group
    this.#mask = mask & IGNORED
  }

  add(directory: string): void {
    if (this.#counts.size >= MAX_UNWANTED) this.clear()
    if (!this.#counts.has(directory)) this.#counts.set(directory, 0)
  }

  /** Whether nothing is wanted in a directory. Called for each event. */
  skips(directory: string): boolean {
    const count = this.#counts.get(directory)
    if (count === undefined) return false
    this.#counts.set(directory, count + 1)
    if (this.#mask !== 0 && count % IGNORED_AGAIN === 0) this.#busy.push(directory)
    return true
  }

  /** Has the kernel ignore what was busy; at the end of a batch. */
  settle(names: DirectoryNames): void {
    for (const directory of this.#busy) {
      if (!this.#canIgnore || this.#ignored >= MAX_IGNORED) break
      names.with(handleOfKey(directory), (path) => this.#ignore(path))
    }
    this.#busy.length = 0
  }

  #ignore(path: string): void {
    try {
      this.#group.ignoreIn(path, this.#mask)
      this.#ignored += 1
    } catch (error) {
      if (!(error instanceof EbpfError)) throw error
      this.#canIgnore = false
    }
  }

  /** Something may be wanted there now. */
  clear(): void {
    this.#counts.clear()
    this.#busy.length = 0
    if (this.#ignored === 0) return
    this.#group.heedAll()
    this.#ignored = 0
  }
}
