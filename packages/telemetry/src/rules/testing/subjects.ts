import { TimeBase } from '../../event/time-base.js'
import { ProcessRecord } from '../../process/entry.js'
import type { Subject } from '../fields.js'

/** Members of a process that rules read. */
export type Known = Partial<
  Record<'pid' | 'ppid' | 'uid' | 'gid' | 'sid' | 'exe' | 'comm' | 'cwd' | 'cgroup', unknown>
> & {
  readonly realArgv?: readonly string[]
}

/** A process of which these are known. */
export function processOf(known: Known): ProcessRecord {
  const process = new ProcessRecord((known.pid as number | undefined) ?? 7, new TimeBase(0n))
  for (const [name, value] of Object.entries(known)) Object.defineProperty(process, name, { value })
  return process
}

/** Something that rules are asked about. */
export function subjectOf(
  known: Known | undefined,
  event: { readonly kind: string } & Readonly<Record<string, unknown>> = { kind: 'process' },
  ancestors: readonly Known[] = [],
  tag = 0n,
): Subject {
  return {
    event,
    process: known === undefined ? undefined : processOf(known),
    tag,
    ancestors: ancestors.map(processOf),
    withTag: (later) => subjectOf(known, event, ancestors, later),
  }
}
