/** The options of runs that watch one command or one process. */

import { UsageError } from '../arguments.js'
import type { Option } from '../option.js'
import type { Settings } from '../settings.js'
import { timeMs, userName } from '../values.js'

/** What `--summary` stands for without its argument. */
const AT_END = 'end'

/** The option for summaries. */
export const summaryOptions: readonly Option[] = [
  {
    long: 'summary',
    argument: 'EVERY',
    withoutArgument: AT_END,
    help: 'in place of events write a summary at the end, and each time that EVERY is over, such as 30s',
    more:
      'SIGUSR1 makes it write one, too. With --json it is one object, with --ecs one document. With -o the events are written as well, to FILE, and ' +
      'the summary to standard error. It turns --usage on.',
    set: (settings, value) => {
      settings.summary = value === AT_END ? {} : { everyMs: timeMs(value, 's', 1000, 24 * 3_600_000) }
    },
  },
]

export const runOptions: readonly Option[] = [
  {
    long: 'wait',
    help: 'end with the last descendant of the command or of the process of --tree-of, not with itself',
    set: (settings) => void (settings.waits = true),
  },
  {
    long: 'as',
    argument: 'USER',
    help: 'run the command as this user, a name or a number, and not as who called sudo; root stays root',
    more: 'Only root may give another user. The command gets the groups of the user, and USER, LOGNAME, SHELL and HOME.',
    set: (settings, value) => void (settings.commandUser = userName(value)),
  },
]

/**
 * Checks what a command line says about a command and a tree of processes.
 *
 * @throws {UsageError} when it contradicts itself
 */
export function checkRun(settings: Settings): void {
  checkSummary(settings)
  const { command, commandUser, waits } = settings
  if (command === undefined) {
    if (commandUser !== undefined) {
      throw new UsageError(
        '--as has no effect without a command: write it behind --, as in quark-mon --as USER -- make',
      )
    }
    if (waits && !hasTree(settings)) {
      throw new UsageError('--wait has no effect without a command or --tree-of: give one of them')
    }
    return
  }
  if (command.length === 0) {
    throw new UsageError('-- needs a command behind it: write it, as in quark-mon -- make, or remove --')
  }
  if (settings.isToStandardOutput || settings.quark.record === '-') {
    throw new UsageError(
      'standard output is the command’s: give -o or --record a file, such as /dev/stdout, or leave it out',
    )
  }
  const contradicting = contradictions(settings)[0]
  if (contradicting !== undefined) {
    throw new UsageError(`${contradicting} cannot be used with a command: remove it, or -- and the command`)
  }
}

function checkSummary({ summary, replay, quark }: Settings): void {
  // A recording has it or not.
  if (summary !== undefined && replay === undefined) quark.usage = true
}

function hasTree({ quark }: Settings): boolean {
  return quark.where?.treeOf !== undefined
}

function contradictions(settings: Settings): string[] {
  const { replay, dropPrivileges, benchmark, bufferGraph, quark } = settings
  const given: [boolean, string][] = [
    [replay !== undefined, '--replay'],
    [dropPrivileges, '-D'],
    [benchmark, '--benchmark'],
    [bufferGraph !== undefined, '--buffer-graph'],
    [quark.bypass === true, '--bypass'],
    [hasTree(settings), '--tree-of'],
  ]
  return given.flatMap(([isGiven, name]) => (isGiven ? name : []))
}
