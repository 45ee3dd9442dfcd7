/** Facts about executed files: which they are, from programs, and what is in them, from the process that reads them. */

import { Readiness } from 'quark-ebpf'
import type { Fact } from '../../facts/fact.js'
import type { Source, SourceContext } from '../../facts/rungs.js'
import type { Surroundings } from '../kind.js'
import type { AskedFile, FileContent, FileIdentity } from './asked.js'
import { FileReader } from './file-reader.js'
import { executedProbe, olderExecutedProbe } from './kernel.js'
import type { ExecutableSettings } from './options.js'
import { contentLayout } from './records.js'

/** The fact of the files of processes that are older than the queue. */
export const OLDER_EXECUTABLES = 'olderExecutables'

const WITHOUT_PROGRAMS = 'which file is executed needs eBPF'
const NOT_WITHOUT = { kprobe: WITHOUT_PROGRAMS, procConnector: WITHOUT_PROGRAMS, audit: WITHOUT_PROGRAMS }
const LATER_MS = 2 ** 30
const MOST_WAITING = 2048

export function executableFacts({ settings, inquiries }: Surroundings<ExecutableSettings>): Fact[] {
  const { executables, packages, maxHashBytes, hashBytesPerSecond } = settings
  if (!executables && !packages) return []
  const limits = { maxBytes: maxHashBytes, bytesPerSecond: hashBytesPerSecond, packages }
  return [
    {
      // Whoever wants packages is to know that they cannot be had.
      name: packages ? 'packages' : 'executables',
      required: false,
      // The record of an exec comes before what is added to it.
      order: 1,
      rungs: [
        {
          by: 'ebpf',
          probes: [executedProbe()],
          reader: {
            fills: [contentLayout],
            open: (context) => {
              const contents = new Contents(context)
              const reader = new FileReader(limits, (file, content) => contents.add(file, content))
              if (inquiries !== undefined) inquiries.askedFile = (file) => reader.ask(file as AskedFile)
              return sourceOf(contents, reader)
            },
          },
        },
      ],
      lacking: NOT_WITHOUT,
    },
    {
      name: OLDER_EXECUTABLES,
      required: false,
      isAuxiliary: true,
      rungs: [{ by: 'ebpf', probes: [olderExecutedProbe()] }],
      lacking: NOT_WITHOUT,
    },
  ]
}

function sourceOf(contents: Contents, reader: FileReader): Source {
  return {
    fds: [contents.readiness.fd],
    read: () => contents.read(),
    stop: () => reader.close(),
    close: () => {
      reader.close()
      contents.close()
    },
  }
}

/** What answers leave to be read. Answers come at any time; records are made of them when the source is read. */
class Contents {
  /** Readable while something waits. */
  readonly readiness = new Readiness()
  readonly #context: SourceContext
  #waiting: [file: FileIdentity, content: FileContent][] = []
  #isClosed = false

  constructor(context: SourceContext) {
    this.#context = context
    this.readiness.arm([], LATER_MS)
  }

  add(file: FileIdentity, content: FileContent): void {
    if (this.#isClosed) return
    if (this.#waiting.length >= MOST_WAITING) {
      this.#context.noteLost(1, contentLayout)
      return
    }
    this.#waiting.push([file, content])
    if (this.#waiting.length === 1) this.readiness.arm([], 0)
  }

  read(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    const timeNs = BigInt(this.#context.clock.bootNowNs())
    for (const [file, content] of waiting) {
      const { device, generation, inode, sizeBytes, mtimeNs, ctimeNs } = file
      this.#context.push(
        contentLayout,
        { timeNs },
        {
          device,
          generation,
          inode: BigInt(inode),
          sizeBytes: BigInt(sizeBytes),
          mtimeNs: BigInt(mtimeNs),
          ctimeNs: BigInt(ctimeNs),
          text: Buffer.from(JSON.stringify(content)),
        },
      )
    }
    this.readiness.arm([], LATER_MS)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.readiness.close()
  }
}
