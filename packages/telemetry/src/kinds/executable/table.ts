import type { KindTable } from '../../event/table.js'
import type { Executable } from '../../process/executable.js'
import type { ProcessRecord } from '../../process/entry.js'
import type { AskedFile, FileContent } from './asked.js'
import { SeenFiles } from './seen.js'

/** So many processes may wait for what is in their files; those beyond are not reported. */
const MOST_WAITING = 4096

/** A process whose event was delivered without what is in its file. */
export interface Waiting {
  readonly pid: number
  readonly executable: Executable
  /** Keys of the file, and of the script whose package is asked for. */
  readonly fileKey: string
  readonly scriptKey: string | undefined
  /** As its event has it. */
  readonly process: ProcessRecord | undefined
  /** No event of it was delivered that would have to be completed: the process has it from now on, and nobody is told. */
  readonly isSilent: boolean
}

/** What is in files that were executed. Bounded: the one unused longest is forgotten, and read again if it is executed. */
export class ExecutableTable implements KindTable {
  /** What is forgotten can be read again, so nothing is lost. */
  readonly evicted = 0
  forgotten = 0
  unannounced = 0
  /** Processes of which an event is to be made now. */
  readonly announced: Waiting[] = []
  /** When what is announced was learnt, epoch ns. */
  announcedNs = 0n
  /** Files of the records that came last. */
  readonly seen = new SeenFiles()
  readonly #known = new Map<string, FileContent>()
  readonly #waiting = new Map<string, Waiting[]>()
  #waitingCount = 0
  readonly #limit: number
  readonly #ask: ((file: AskedFile) => void) | undefined

  /** `ask` is called for files of which nothing is known. */
  constructor(limit: number, ask: ((file: AskedFile) => void) | undefined) {
    this.#limit = limit
    this.#ask = ask
  }

  get size(): number {
    return this.#known.size
  }

  /** What is known of a file or script; undefined if that is nothing. */
  contentOf(key: string): FileContent | undefined {
    const content = this.#known.get(key)
    if (content === undefined) return undefined
    // The youngest is the last one.
    this.#known.delete(key)
    this.#known.set(key, content)
    return content
  }

  /** Asks about a file and its script, unless all is known of them. */
  ask(fileKey: string, scriptKey: string | undefined, file: AskedFile): void {
    if (this.#ask === undefined) return
    const isKnown = !isToBeAsked(this.contentOf(fileKey))
    const isScriptKnown = scriptKey === undefined || this.contentOf(scriptKey) !== undefined
    if (isKnown && isScriptKnown) return
    this.#ask({ ...file, isKnown, script: isScriptKnown ? undefined : file.script })
  }

  learn(key: string, content: FileContent): void {
    this.#known.delete(key)
    this.#known.set(key, content)
    if (this.#known.size <= this.#limit) return
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest)
      this.forgotten += 1
      return
    }
  }

  /** Notes that a process is to be reported when something is known under a key. */
  wait(key: string, waiting: Waiting): void {
    if (this.#waitingCount >= MOST_WAITING) {
      this.unannounced += 1
      return
    }
    this.#waitingCount += 1
    const others = this.#waiting.get(key)
    if (others === undefined) this.#waiting.set(key, [waiting])
    else others.push(waiting)
  }

  /** Moves those that wait for a key to `announced`, each once. */
  announce(key: string): void {
    const found = this.#waiting.get(key)
    if (found === undefined) return
    this.#waiting.delete(key)
    this.#waitingCount -= found.length
    for (const waiting of found) if (!this.announced.includes(waiting)) this.announced.push(waiting)
  }

  collect(): void {
    // Nothing expires: what is in a file does not change without changing its key.
  }

  collectInNs(): number {
    return Number.POSITIVE_INFINITY
  }

  stats(): Readonly<Record<string, number>> {
    const { size, forgotten, unannounced } = this
    return { size, waiting: this.#waitingCount, forgotten, unannounced }
  }
}

/** Whether another exec may find more: the process was gone, or the file in another state. */
export function isToBeAsked(content: FileContent | undefined): boolean {
  return content?.sha256 === undefined && content?.unread !== 'tooLarge'
}
