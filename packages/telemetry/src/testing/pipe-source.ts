/** A source for tests: makes a record of each 32-bit number that is written to a pipe. */

import { spawnSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Fd } from 'quark-ebpf'
import type { RecordLayout } from 'quark-ebpf/probe'
import type { Source, SourceContext, SourceRung } from '../facts/rungs.js'

const NUMBER_BYTES = 4
const FLAGS = constants.O_RDWR | constants.O_NONBLOCK

export class PipeSource implements Source {
  readonly fds: readonly Fd[]
  readonly #layout: RecordLayout
  readonly #context: SourceContext
  readonly #pid = Buffer.alloc(NUMBER_BYTES)
  isStopped = false
  isClosed = false

  constructor(path: string, layout: RecordLayout, context: SourceContext) {
    this.fds = [Fd.openFile(path, FLAGS)]
    this.#layout = layout
    this.#context = context
  }

  read(): void {
    for (;;) {
      try {
        if (readSync((this.fds[0] as Fd).number, this.#pid, 0, NUMBER_BYTES, null) === 0) return
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return
        throw error
      }
      const timeNs = BigInt(this.#context.clock.bootNowNs())
      const pid = this.#pid.readUInt32LE(0)
      if (pid === 0) this.#context.noteLost(1, this.#layout)
      else this.#context.push(this.#layout, { timeNs }, { pid, tid: pid } as object)
    }
  }

  stop(): void {
    this.isStopped = true
  }

  close(): void {
    this.isClosed = true
    for (const fd of this.fds) fd.close()
  }
}

/** A pipe, and the rung that reads it. */
export class TestPipe {
  readonly rung: SourceRung
  /** The sources that were opened. */
  readonly sources: PipeSource[] = []
  readonly #fd: number

  /** @param directory where the pipe is made */
  constructor(directory: string, layout: RecordLayout) {
    const path = join(directory, 'pipe')
    spawnSync('mkfifo', [path])
    this.#fd = openSync(path, FLAGS)
    this.rung = {
      by: 'source',
      hook: 'pipe/test',
      flavor: 'pipe',
      fills: [layout],
      open: (context) => {
        const source = new PipeSource(path, layout, context)
        this.sources.push(source)
        return source
      },
    }
  }

  /** Writes pids, each of which becomes a record; 0 is a loss. */
  write(...pids: readonly number[]): void {
    writeSync(this.#fd, new Uint8Array(Uint32Array.from(pids).buffer))
  }

  close(): void {
    closeSync(this.#fd)
  }
}
