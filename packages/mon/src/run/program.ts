/** Which program a command names, and what goes wrong with it before and at its exec. */

import { type Stats, statSync } from 'node:fs'
import { constants } from 'node:os'
import { quote } from '../arguments.js'
import { EXIT_STATUSES } from '../exit-status.js'

/** Exit status when quark-mon itself fails, with a command to run, as env(1) and timeout(1) have it. */
export const STATUS_FAILED = EXIT_STATUSES.notRun.status
/** Exit status when the program is there and cannot be executed, as shells have it. */
export const STATUS_NOT_EXECUTABLE = EXIT_STATUSES.notExecutable.status
/** Exit status when there is no such program. */
export const STATUS_NOT_FOUND = EXIT_STATUSES.notFound.status

/** As the C library has it when PATH is not set. */
const DEFAULT_PATH = '/bin:/usr/bin'
const ANY_EXECUTE = 0o111

const { E2BIG, EACCES, ENOENT, ENOEXEC, ENOTDIR, ELOOP, ETXTBSY, EISDIR, EPERM, ENOMEM } = constants.errno

/** The command cannot be run. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly code = 'ERR_QUARK_MON_COMMAND'
  /** What quark-mon ends with. */
  readonly status: number

  constructor(message: string, status: number, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}

/**
 * The files that are to be tried, in order: the name itself if it has a slash, else those of that name in PATH.
 *
 * @throws {CommandError} when none of them exists, or none can be executed by anybody
 */
export function programFiles(name: string, path: string | undefined): readonly string[] {
  if (name === '') throw notFound(name, 'it has no name')
  const files = name.includes('/')
    ? [name]
    : (path ?? DEFAULT_PATH).split(':').map((folder) => (folder === '' ? name : `${folder}/${name}`))
  const states = files.map(stateOf)
  if (states.every((state) => state === ENOENT || state === ENOTDIR)) throw execError(name, ENOENT)
  const isPossible = states.some(
    (state) => typeof state === 'object' && !state.isDirectory() && (state.mode & ANY_EXECUTE) !== 0,
  )
  // What cannot be looked at may yet be executed by another user.
  if (isPossible || states.some((state) => state === EACCES)) return files
  const isDirectory = states.some((state) => typeof state === 'object' && state.isDirectory())
  throw execError(name, isDirectory ? EISDIR : EACCES)
}

function stateOf(file: string): Stats | number {
  try {
    return statSync(file)
  } catch (error) {
    return Math.abs((error as NodeJS.ErrnoException).errno ?? ENOENT)
  }
}

/** Whether the next file of PATH is tried after this error, as execvp(3) does. */
export function isTriedFurther(errno: number): boolean {
  return errno === EACCES || errno === ENOENT || errno === ENOTDIR
}

/** Whether it is no program for the kernel, so that it is given to sh(1), as execvp(3) does. */
export function isScript(errno: number): boolean {
  return errno === ENOEXEC
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [EACCES, 'it is not executable, or a folder on the way to it is closed (see ls -l, or chmod +x)'],
  [EPERM, 'the kernel does not permit it'],
  [EISDIR, 'it is a folder'],
  [E2BIG, 'its arguments and environment are longer than the kernel allows'],
  [ELOOP, 'its links lead in a circle'],
  [ETXTBSY, 'another process is writing it'],
  [ENOMEM, 'there is not enough memory'],
])

/** What an exec that failed with an errno means for the person who gave the command. */
export function execError(name: string, errno: number): CommandError {
  if (errno === ENOENT || errno === ENOTDIR) {
    return notFound(
      name,
      name.includes('/')
        ? 'there is no such file, or not its interpreter'
        : 'no folder of PATH has such a program',
    )
  }
  const reason = REASONS.get(errno) ?? `its exec failed with errno ${errno}`
  return new CommandError(`Cannot run ${quote(name)}: ${reason}`, STATUS_NOT_EXECUTABLE)
}

function notFound(name: string, reason: string): CommandError {
  return new CommandError(`Cannot run ${quote(name)}: ${reason}`, STATUS_NOT_FOUND)
}
