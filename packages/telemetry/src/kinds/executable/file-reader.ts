/** Asks the process that reads files, and takes its answers. */

import type { UnreadReason } from '../../process/executable.js'
import { ReaderProcess } from '../../process/reader/reader-process.js'
import {
  type AskedFile,
  type FileContent,
  type FileIdentity,
  keyOf,
  type ReaderLimits,
  scriptKeyOf,
} from './asked.js'

/** So many files may wait to be read; the others are left unread, and asked for again with their next exec. */
const MOST_WAITING = 1024

export type Answered = (file: FileIdentity, content: FileContent) => void

/** The process that reads files, from its start on. */
export class FileReader {
  readonly #process: ReaderProcess<AskedFile, FileContent>
  readonly #answered: Answered
  readonly #keys = new Set<string>()

  constructor(limits: ReaderLimits, answered: Answered) {
    this.#answered = answered
    this.#process = new ReaderProcess(new URL('reader-main.js', import.meta.url), limits, {
      answered: (file: AskedFile, content: FileContent) => {
        this.#keys.delete(pendingKeyOf(file))
        answered(file, content)
      },
      ended: (files) => {
        for (const file of files) answered(file, unreadOf(file, 'noReader'))
        this.#keys.clear()
      },
    })
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** Asks what is in a file, unless that was asked and not answered yet, or too many questions wait. */
  ask(file: AskedFile): void {
    const key = pendingKeyOf(file)
    if (this.#keys.has(key)) return
    const { isOver, waiting } = this.#process
    if (isOver || waiting >= MOST_WAITING) {
      this.#answered(file, unreadOf(file, isOver ? 'noReader' : 'noAnswer'))
      return
    }
    this.#keys.add(key)
    this.#process.ask(file)
  }

  close(): void {
    this.#process.close()
  }
}

function pendingKeyOf(file: AskedFile): string {
  const { script, isKnown } = file
  const key = script === undefined ? keyOf(file) : scriptKeyOf(keyOf(file), script)
  return isKnown ? `${key} known` : key
}

function unreadOf({ isKnown, script }: AskedFile, unread: UnreadReason): FileContent {
  return { unread: isKnown ? undefined : unread, script }
}
