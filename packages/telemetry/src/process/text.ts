/** What lines of text have of a process, for all kinds whose events have one. */

import type { TextColumns, TextNote, Tone } from '../event/spec.js'
import { argumentsOf, hasOtherBytes } from './command.js'
import type { Container, Process } from './process.js'
import type { Relatives } from './relatives.js'

/** An event about a process, or of one. */
interface OfProcess {
  readonly process?: Process | undefined
  readonly relatives?: Relatives | undefined
}

/** The columns of an event that has a process. */
export const processColumns: Required<Omit<TextColumns<OfProcess>, 'environment' | 'sentence'>> = {
  uid: ({ process }) => process?.euid ?? process?.uid,
  parentPid: ({ process }) => process?.ppid,
  parentName: ({ relatives }) => relatives?.parent?.comm,
  command: ({ process }) => {
    const argv = process?.argv
    return argv !== undefined && hasOtherBytes(argv) ? argumentsOf(process as Process) : argv
  },
  name: ({ process }) => process?.comm ?? process?.exe,
}

/** The same; in place of its command stands its name, and what it does with whom. */
export function activityColumns<E extends OfProcess>(activity: (event: E) => string): TextColumns<E> {
  const { uid, parentPid, parentName } = processColumns
  return {
    uid,
    parentPid,
    parentName,
    sentence: (event) => {
      const name = event.process?.comm
      return name === undefined ? activity(event) : `${name} ${activity(event)}`
    },
  }
}

/** From what it was executed with. */
export const environmentOf: NonNullable<TextColumns<OfProcess>['environment']> = ({ process }) => process?.env

const SHORT_ID = 12
const LONG_ID = /^[0-9a-f]{32}/

/** The name of the container, else its id, in a short form where that is a long number. */
function shortContainer(container: Container | undefined): string | undefined {
  if (container === undefined) return undefined
  const { id, name } = container
  return name ?? (LONG_ID.test(id) ? id.slice(0, SHORT_ID) : id)
}

/** Where it runs: what most processes have from their parents is left out. */
export const placeNotes: readonly TextNote<OfProcess>[] = [
  {
    label: 'container ',
    type: 'string',
    value: ({ process }) => shortContainer(process?.container),
    doc: 'the container: its name if that is known, else the first 12 digits of its id',
    example: 'container 3f2a9c0e7d41',
  },
  {
    label: 'cgroup ',
    type: 'string',
    value: ({ process, relatives }) => {
      const cgroup = process?.cgroup
      return cgroup === undefined || cgroup === relatives?.parent?.cgroup || process?.container !== undefined
        ? undefined
        : cgroup
    },
    doc: 'the cgroup, unless it is that of its parent or of a container',
    example: 'cgroup /system.slice/cron.service',
  },
  {
    label: 'ssh from ',
    type: 'string',
    value: ({ process }) =>
      process?.entry === undefined || process.entry.pid !== process.pid ? undefined : process.entry.address,
    tone: 'began',
    doc: 'it is the first program of an ssh login, which came from there',
    example: 'ssh from 192.0.2.7',
  },
]

/** How it ended. */
export const endNotes: readonly TextNote<OfProcess>[] = [
  {
    label: 'exit ',
    type: 'number',
    value: ({ process }) => process?.exitCode,
    tone: ({ process }): Tone => (process?.exitCode === 0 ? 'quiet' : 'wrong'),
    doc: 'it ended with this status',
    example: 'exit 3',
  },
  {
    label: 'killed by ',
    type: 'signal',
    value: ({ process }) => process?.exitSignal,
    tone: 'wrong',
    doc: 'a signal ended it',
    example: 'killed by SIGKILL',
  },
  {
    label: 'from ',
    gap: ' ',
    type: 'string',
    value: ({ process }) => process?.killer?.comm,
    tone: 'wrong',
    doc: 'the process that sent that signal',
    example: 'from bash',
  },
  {
    label: '[',
    end: ']',
    gap: '',
    type: 'pid',
    value: ({ process }) => (process?.killer?.comm === undefined ? undefined : process.killer.pid),
    tone: 'wrong',
    doc: 'its pid',
    example: '[123]',
  },
  {
    label: 'from pid ',
    gap: ' ',
    type: 'pid',
    value: ({ process }) => (process?.killer?.comm === undefined ? process?.killer?.pid : undefined),
    tone: 'wrong',
    doc: 'the process that sent that signal, where its name is not known',
    example: 'from pid 123',
  },
  {
    label: 'from the OOM killer',
    gap: ' ',
    type: 'flag',
    value: ({ process }) => process?.killer?.by === 'oomKiller',
    tone: 'wrong',
    doc: 'the kernel sent that signal, as memory was short',
    example: 'from the OOM killer',
  },
  {
    label: 'core dumped',
    type: 'flag',
    value: ({ process }) => process?.coreDumped === true,
    tone: 'wrong',
    doc: 'the kernel began to write a core file',
    example: 'core dumped',
  },
  {
    label: '',
    type: 'duration',
    value: ({ process }) => exactDuration(process),
    doc: 'from its start to its end, if both are known exactly',
    example: '1.25ms',
  },
]

/** A start from /proc alone is cut to 10 ms: what would be computed of it is not exact. */
function exactDuration(process: Process | undefined): bigint | undefined {
  if (process === undefined) return undefined
  const { durationNs } = process
  if (durationNs === undefined) return undefined
  return process.entityIdCoarse && process.uniqueEntityId === undefined ? undefined : durationNs
}

/** What it used, where that was asked for. */
export const usageNotes: readonly TextNote<OfProcess>[] = [
  {
    label: 'user ',
    type: 'duration',
    value: ({ process }) => process?.usage?.userTimeNs,
    doc: 'CPU time in its own code (`--usage`)',
    example: 'user 850us',
  },
  {
    label: 'system ',
    type: 'duration',
    value: ({ process }) => process?.usage?.systemTimeNs,
    doc: 'CPU time in the kernel (`--usage`)',
    example: 'system 1.20ms',
  },
  {
    label: 'peak ',
    type: 'size',
    value: ({ process }) => process?.usage?.peakRssBytes,
    doc: 'the most memory that it had (`--usage`)',
    example: 'peak 3.41M',
  },
]

/** What is doubtful, or not what it seems. */
export const doubtNotes: readonly TextNote<OfProcess>[] = [
  {
    label: 'real user ',
    type: 'uid',
    value: ({ process }) =>
      process === undefined || process.uid === (process.euid ?? process.uid) ? undefined : process.uid,
    tone: 'changed',
    doc: 'its real user, where the one of the column is only the effective one',
    example: 'real user ann',
  },
  {
    label: 'made by ',
    type: 'pid',
    value: ({ process }) => process?.creatorPid,
    doc: 'the process that made it, if that is not its parent',
    example: 'made by 512',
  },
  {
    label: 'arguments cut',
    type: 'flag',
    value: ({ process }) => process?.argvTruncated === true,
    doc: 'it has more arguments: see `--max-argv`',
    example: 'arguments cut',
  },
  {
    label: 'maybe incomplete',
    type: 'flag',
    value: ({ process }) => process?.mayBeIncomplete === true,
    tone: 'wrong',
    doc: 'records of it, or of a process that it descends from, may have been lost',
    example: 'maybe incomplete',
  },
]

/** The program, where the command does not say it. */
export const programNotes: readonly TextNote<OfProcess>[] = [
  {
    label: 'exe ',
    type: 'string',
    value: ({ process }) => (process === undefined ? undefined : hiddenProgram(process)),
    tone: 'changed',
    doc: 'the program, where neither its name nor that of the process is that of the command',
    example: 'exe /tmp/x',
  },
  {
    label: 'exe deleted',
    type: 'flag',
    value: ({ process }) => process?.exeDeleted === true,
    tone: 'changed',
    doc: 'the file of the program was deleted, or never had a name',
    example: 'exe deleted',
  },
]

/** The longest name of a process. */
const COMM_UNITS = 15
/** A script may be this argument of its interpreter: `/usr/bin/env node FILE`. */
const LAST_SCRIPT_ARGUMENT = 3

function hiddenProgram({ argv, exe, comm }: Process): string | undefined {
  const command = argv?.[0]
  if (exe === undefined || comm === undefined || command === undefined) return undefined
  if (isNamed(command, comm) || isNamed(command, exe)) return undefined
  // A script has its own name, and the program is what interprets it.
  for (let i = 1; i < (argv as readonly string[]).length && i <= LAST_SCRIPT_ARGUMENT; i++) {
    if (isNamed((argv as readonly string[])[i] as string, comm)) return undefined
  }
  return exe
}

/** Whether the last parts of two paths are the same, as far as a name goes. A shell that a login began has a dash. */
function isNamed(path: string, other: string): boolean {
  const from = path.lastIndexOf('/') + 1
  const start = path.charCodeAt(from) === 0x2d ? from + 1 : from
  const otherFrom = other.lastIndexOf('/') + 1
  const length = Math.min(COMM_UNITS, path.length - start)
  const otherLength = Math.min(COMM_UNITS, other.length - otherFrom)
  return length === otherLength && path.startsWith(other.slice(otherFrom, otherFrom + length), start)
}
