/** Notes about priorities: a source in user space, which reads lines from a FIFO. */

import { constants, readSync } from 'node:fs'
import { Fd } from 'quark-ebpf'
import type { Source, SourceContext, SourceRung } from '../../../facts/rungs.js'
import { noteLayout } from './records.js'

/** A longer line is lost. */
const MAX_LINE_BYTES = 512
const READ_BYTES = 4096
/** What is read in one go; the rest waits in the FIFO. */
const MAX_READS = 16

/** `which who nice text` */
const LINE = /^([012]) (\d{1,9}) (-?\d{1,2}) (.*)$/s

class Notes implements Source {
  readonly fds: readonly [Fd]
  readonly #context: SourceContext
  readonly #buffer = Buffer.alloc(READ_BYTES)
  /** A line whose end was not read yet. */
  #rest = ''
  #isTooLong = false
  #isStopped = false

  constructor(path: string, context: SourceContext) {
    // With a writer of its own the FIFO does not end when the last writer leaves.
    this.fds = [Fd.openFile(path, constants.O_RDWR | constants.O_NONBLOCK)]
    this.#context = context
  }

  read(): void {
    for (let reads = 0; reads < MAX_READS && !this.#isStopped; reads++) {
      const length = this.#fill()
      if (length === 0) return
      const lines = (this.#rest + this.#buffer.toString('latin1', 0, length)).split('\n')
      this.#rest = lines.pop() ?? ''
      for (const line of lines) this.#take(line)
      if (this.#rest.length > MAX_LINE_BYTES) {
        this.#isTooLong = true
        this.#rest = ''
      }
    }
  }

  #fill(): number {
    try {
      return readSync(this.fds[0].number, this.#buffer)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') this.#context.noteLost(1, noteLayout)
      return 0
    }
  }

  #take(line: string): void {
    const match = this.#isTooLong || line.length > MAX_LINE_BYTES ? null : LINE.exec(line)
    this.#isTooLong = false
    if (match === null) {
      this.#context.noteLost(1, noteLayout)
      return
    }
    const [, which, who, nice, text = ''] = match
    this.#context.push(
      noteLayout,
      { timeNs: BigInt(this.#context.clock.bootNowNs()) },
      { which: Number(which), who: Number(who), nice: Number(nice), text: Buffer.from(text, 'latin1') },
    )
  }

  stop(): void {
    this.#isStopped = true
  }

  close(): void {
    this.fds[0].close()
  }
}

/** The rung that reads a FIFO. */
export function notesOf(path: string): SourceRung {
  return {
    by: 'source',
    hook: 'fifo/notes',
    flavor: 'lines',
    fills: [noteLayout],
    open: (context) => new Notes(path, context),
  }
}
