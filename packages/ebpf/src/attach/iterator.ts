import { constants } from 'node:os'
import type { Program } from '../program/program.js'
import { BPF_TRACE_ITER } from '../program/types.js'
import { bpf, BPF_ITER_CREATE, BPF_LINK_CREATE, BpfAttr } from '../sys/bpf.js'
import { Fd } from '../sys/fd.js'
import { pageSizeBytes, read } from '../sys/libc.js'
import { checked } from '../sys/permission.js'

/** Pages of the buffer in which the kernel collects output: the most that one read returns (kernel/bpf/bpf_iter.c). */
const BUFFER_PAGES = 8

/** An iterator's program, which can be run any number of times, until `close()` or the end of this process. */
export class IteratorLink implements Disposable {
  readonly kind = 'iterator'
  /** What is walked through, such as `task`. */
  readonly target: string
  readonly #fd: Fd

  /**
   * Attaches a program of type tracing that was loaded as an iterator. Needs Linux 5.8.
   *
   * @throws {KernelError} when the kernel refuses
   */
  static attach(program: Program, target: string): IteratorLink {
    const attr = new BpfAttr().u32(0, program.fd.number).u32(8, BPF_TRACE_ITER)
    const action = `Cannot attach program "${program.name}" to iterator "${target}"`
    const result = checked(action, 'bpf(BPF_LINK_CREATE)', bpf(BPF_LINK_CREATE, attr))
    return new IteratorLink(target, new Fd(result, `link to iterator "${target}"`))
  }

  private constructor(target: string, fd: Fd) {
    this.target = target
    this.#fd = fd
  }

  /**
   * Walks through all objects, and hands over what the program writes. What it wrote for one object comes whole; the
   * bytes are valid until the next call of `take`.
   *
   * @throws {KernelError} E2BIG when the program writes more for one object than the kernel takes
   * @throws {ClosedError}
   */
  run(take: (bytes: Uint8Array) => void): void {
    const action = `Cannot run iterator "${this.target}"`
    const attr = new BpfAttr().u32(0, this.#fd.number)
    const result = checked(action, 'bpf(BPF_ITER_CREATE)', bpf(BPF_ITER_CREATE, attr))
    using reader = new Fd(result, `iterator "${this.target}"`)
    const buffer = new Uint8Array(BUFFER_PAGES * pageSizeBytes())
    for (;;) {
      const length = read(reader.number, buffer)
      // EAGAIN: the kernel pauses after a million objects without output.
      if (length === -constants.errno.EAGAIN) continue
      if (checked(action, 'read', length) === 0) return
      take(buffer.subarray(0, length))
    }
  }

  get closed(): boolean {
    return this.#fd.closed
  }

  close(): void {
    this.#fd.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
