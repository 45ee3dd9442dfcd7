/** What quark-mon ends with: the manual page and the table of docs/run.md follow. */

/** A status, and when it is that. */
interface ExitStatus {
  readonly status: number
  /** Follows "it exits …": without a period. */
  readonly doc: string
}

export const EXIT_STATUSES = {
  failed: { status: 1, doc: 'an error occurred' },
  usage: { status: 2, doc: 'the command line is wrong, or asks for what cannot be had' },
  degraded: { status: 3, doc: 'with --strict: something was missing or lost' },
  rules: { status: 4, doc: 'a rule with the action fail has matched' },
  newBehaviour: { status: 5, doc: 'with --baseline: the command did what is not in it' },
  incomplete: { status: 6, doc: 'with --require-complete: something may be missing in the report' },
  notRun: { status: 125, doc: 'quark-mon failed before the command began: nothing was run' },
  notExecutable: { status: 126, doc: 'the command cannot be executed' },
  notFound: { status: 127, doc: 'there is no such command' },
} as const satisfies Readonly<Record<string, ExitStatus>>

/** As rows of a table. */
export function exitStatusRows(): readonly (readonly [status: number, doc: string])[] {
  return Object.values(EXIT_STATUSES).map(({ status, doc }) => [status, doc])
}
