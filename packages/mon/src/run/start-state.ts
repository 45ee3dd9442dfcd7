/**
 * How this process was started, as far as the engine has changed it since: it sets all signals to their defaults, unblocks
 * them, raises the limit of descriptors, and lets no descriptor but the first three be inherited. The first lines of
 * bin/quark-mon.cjs, which are run by sh(1), hand it over in a variable.
 */

/** The variable: four fields with colons between them, see `parseStartState`. */
export const START_VARIABLE = 'QUARK_MON_START'

/** What a command is to find as it was. */
export interface StartState {
  /** Signals that were ignored, by number. */
  readonly ignored: readonly number[]
  /** Set of blocked signals: the lowest bit is signal 1. */
  readonly blocked: bigint
  /** Soft limit of open descriptors; undefined if it is to stay as it is. */
  readonly descriptorLimit: number | undefined
  /** Open descriptors beside the first three. */
  readonly descriptors: readonly number[]
}

const UNKNOWN: StartState = { ignored: [], blocked: 0n, descriptorLimit: undefined, descriptors: [] }

const MAX_DESCRIPTOR = 1023
const SIGNALS = 64

/**
 * Reads the variable: the sets of ignored and blocked signals as /proc shows them, the limit of descriptors, and the open
 * descriptors. A command that was not started through sh(1) has none of it: signals get their defaults.
 */
export function parseStartState(text: string | undefined): StartState {
  const match = /^([0-9a-f]{16}):([0-9a-f]{16}):(\d{1,15}|unlimited)?:((?: \d{1,9})*)$/.exec(text ?? '')
  if (match === null) return UNKNOWN
  const [, ignored = '', blocked = '', limit = '', descriptors = ''] = match
  return {
    ignored: signalsOf(BigInt(`0x${ignored}`)),
    blocked: BigInt(`0x${blocked}`),
    descriptorLimit: /^\d+$/.test(limit) ? Number(limit) : undefined,
    descriptors: descriptors
      .split(' ')
      .flatMap((digits) => (digits === '' ? [] : Number(digits)))
      .filter((fd) => fd > 2 && fd <= MAX_DESCRIPTOR),
  }
}

function signalsOf(set: bigint): number[] {
  return Array.from({ length: SIGNALS }, (_, index) => index + 1).filter(
    (signal) => (set >> BigInt(signal - 1)) & 1n,
  )
}
