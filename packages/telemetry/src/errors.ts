/** Literal codes carried by every error of this package. */
export type QuarkErrorCode =
  | 'ERR_QUARK_BACKEND'
  | 'ERR_QUARK_OPTION'
  | 'ERR_QUARK_CLOSED'
  | 'ERR_QUARK_RECORDING'
  | 'ERR_QUARK_SYSTEM'
  | 'ERR_QUARK_RULES'
  | 'ERR_QUARK_BASELINE'

/** Base of every error that this package throws on purpose. */
export class QuarkError extends Error {
  readonly code: QuarkErrorCode

  constructor(code: QuarkErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** Why one backend could not be opened. */
export interface BackendFailure {
  readonly backend: string
  readonly error: Error
}

/** No backend could be opened. `failures` has the reason of each that was tried. */
export class BackendError extends QuarkError {
  readonly failures: readonly BackendFailure[]

  constructor(failures: readonly BackendFailure[]) {
    const reasons = failures.map(({ backend, error }) => `${backend}: ${error.message}`)
    super('ERR_QUARK_BACKEND', `Cannot watch processes: ${reasons.join('; ')}`, { cause: failures[0]?.error })
    this.failures = failures
  }
}

/** An option's value is not usable, or contradicts another one. `option` names it. */
export class OptionError extends QuarkError {
  readonly option: string
  /** What to give instead, for those who name the option and the value in their own words. */
  readonly advice: string | undefined

  constructor(option: string, message: string, advice?: string, options?: ErrorOptions) {
    super('ERR_QUARK_OPTION', message, options)
    this.option = option
    this.advice = advice
  }
}

/** A recording is broken, cut short, or of another version. `offset` is where, in bytes. */
export class RecordingError extends QuarkError {
  readonly path: string
  readonly offset: number
  /**
   * It ends without its end mark, as when the recording process was killed. All that is whole was delivered before; of several
   * recordings the next one follows if events are taken again.
   */
  readonly isCutShort: boolean

  constructor(
    path: string,
    offset: number,
    problem: string,
    options: ErrorOptions & { readonly isCutShort?: boolean } = {},
  ) {
    super('ERR_QUARK_RECORDING', `Cannot read recording "${path}": ${problem} at byte ${offset}`, options)
    this.path = path
    this.offset = offset
    this.isCutShort = options.isCutShort === true
  }
}
