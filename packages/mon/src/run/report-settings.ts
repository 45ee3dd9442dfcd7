/** What a report is to be. */
export interface ReportSettings {
  /** Undefined is standard error, or for a recording standard output. */
  path: string | undefined
  /** By default as the name of the file says, else text. */
  format: 'text' | 'markdown' | 'json' | undefined
  /** File with what the command is known to do. */
  baseline: string | undefined
  updatesBaseline: boolean
  requiresComplete: boolean
  /** File for a trace of Chrome's format. */
  trace: string | undefined
}
