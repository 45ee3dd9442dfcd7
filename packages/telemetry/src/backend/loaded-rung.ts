import type { MissingField } from 'quark-ebpf/probe'
import type { Lack } from '../facts/rungs.js'

/** A rung that was loaded, but not started: attaching may still fail. */
export interface LoadedRung {
  /**
   * Starts it, or leaves nothing started.
   *
   * @throws {EbpfError} or {QuarkError} if it does not work after all
   */
  attach(): AttachedRung
}

/** The hooks of an attached rung. */
export interface AttachedRung {
  /** `what` is learnt by the hook, if it is a part of the fact only. */
  readonly hooks: readonly { readonly what?: string; readonly hook: string; readonly flavor: string }[]
  /** See `EbpfRung.isWhole`. */
  readonly isWhole?: true
  /** Fields that this kernel cannot supply. */
  readonly missing?: readonly MissingField[]
  readonly lacks?: readonly Lack[]
}
