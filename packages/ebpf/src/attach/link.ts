/** The way a program is attached. */
export type LinkKind =
  | 'rawTracepoint'
  | 'tracing'
  | 'kprobe'
  | 'kretprobe'
  | 'tracepoint'
  | 'cgroup'
  | 'socketFilter'

/** A program attached to a hook, until `close()` or the end of this process. */
export class Link implements Disposable {
  readonly kind: LinkKind
  /** What the program is attached to, such as a tracepoint's name. */
  readonly target: string
  #detach: (() => void) | undefined

  /** `detach` is called once, at `close()`. */
  constructor(kind: LinkKind, target: string, detach: () => void) {
    this.kind = kind
    this.target = target
    this.#detach = detach
  }

  /** Whether `close()` was called. */
  get closed(): boolean {
    return this.#detach === undefined
  }

  /** Detaches the program. The program itself stays loaded until it is closed too. */
  close(): void {
    const detach = this.#detach
    this.#detach = undefined
    detach?.()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
