import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { environmentWith, lastArguments } from './environment.js'
import { CallError, Launcher } from './launcher.js'
import { CommandError, execError, isScript, isTriedFurther, programFiles, STATUS_FAILED } from './program.js'
import type { StartState } from './start-state.js'
import { stringTables, type StringTable } from './string-tables.js'
import { type CommandUser, commandUser } from './user.js'
import { endingOf, type Ending, stopSignalOf } from './wait-status.js'

const SIG_IGN = 1n
const SIG_SETMASK = 2
const SIGSET_BYTES = 8
const ALL_SIGNALS = 0xffff_ffff_ffff_ffffn
/** struct sigaction of the kernel: handler, flags, restorer, mask. */
const SIGACTION_BYTES = 32
const RLIMIT_NOFILE = 7
const PR_SET_NAME = 15
const CLONE_VFORK = 0x4000
const SIGCHLD = 17
const WUNTRACED = 2
const STATUS_BYTES = 4
/** How often an answer is taken for one that belongs to an earlier request. */
const MAX_STRAY_ANSWERS = 3
/** A launcher that somebody has stopped is not waited for. */
const MAX_CLOSE_MS = 1000
const SHELL = '/bin/sh\0'
const NAME = 'quark-mon\0'
const { EACCES, EFAULT, EINTR, ENOENT } = constants.errno

/** How a command is to be run. */
export interface CommandSettings {
  /** The program's name, and its arguments. */
  readonly argv: readonly string[]
  /** Name or number of the user that it runs as. */
  readonly user: string | undefined
}

/** What is in the launcher's memory. */
interface Strings {
  readonly argv: StringTable
  readonly environment: StringTable
  /** The set of blocked signals that a command is to have. */
  readonly mask: bigint
  /** The action that ignores a signal. */
  readonly ignore: bigint
}

/**
 * The command of a run, before it begins: a launcher that has the command's user and limits. It makes the command when it
 * is told to, as a child of its own. So all descendants of the launcher can be watched before there is one, and what the
 * kernel counts of the command is the command's alone.
 */
export class HeldCommand {
  /** The name as it was given. */
  readonly name: string
  /** The command, and all that it makes, are descendants of this process, which does nothing else. */
  readonly launcherPid: number
  /** Whom it runs as, if that is not this process's user. */
  readonly user: CommandUser | undefined
  readonly #launcher: Launcher
  readonly #state: StartState
  readonly #files: readonly Buffer[]
  readonly #strings: Strings
  #pid: number | undefined

  private constructor(
    launcher: Launcher,
    name: string,
    files: readonly Buffer[],
    state: StartState,
    strings: Strings,
    user: CommandUser | undefined,
  ) {
    this.#launcher = launcher
    this.#state = state
    this.#files = files
    this.#strings = strings
    this.name = name
    this.launcherPid = launcher.pid
    this.user = user
  }

  /**
   * Starts the launcher, and prepares it.
   *
   * @throws {CommandError} when there is no such program or user, or the launcher cannot be started
   */
  static async start({ argv, user }: CommandSettings, state: StartState): Promise<HeldCommand> {
    const name = argv[0] ?? ''
    const become = commandUser(user, process.env, process.geteuid?.() ?? 0)
    const files = programFiles(name, process.env['PATH']).map((file) => Buffer.from(`${file}\0`))
    const launcher = await startLauncher(state)
    try {
      await prepare(launcher, state, become)
      const environment = environmentWith(become?.environment ?? {})
      const strings = await putStrings(launcher, lastArguments(argv), environment, state)
      return new HeldCommand(launcher, name, files, state, strings, become)
    } catch (error) {
      launcher.dismiss()
      throw asCommandError(error)
    }
  }

  /** The command's pid; undefined before `release`. */
  get pid(): number | undefined {
    return this.#pid
  }

  /**
   * Makes the command, and lets it execute its program.
   *
   * @throws {CommandError} when the program cannot be executed
   */
  async release(): Promise<void> {
    let errno
    try {
      errno = await this.#make()
    } catch (error) {
      this.#launcher.dismiss()
      throw asCommandError(error)
    }
    if (errno === 0) return
    this.#launcher.dismiss()
    throw execError(this.name, errno)
  }

  /**
   * Waits for the end of the command, which was released.
   *
   * @param onStop called whenever the command stops, which `SIGCONT` ends
   * @throws {CommandError} when the launcher ends before, so that nobody knows it
   */
  async ended(onStop: (signal: number) => void): Promise<Ending> {
    const address = await this.#launcher.put(STATUS_BYTES, () => new Uint8Array(STATUS_BYTES))
    for (;;) {
      if (address === undefined || !(await this.#wait(address))) break
      const status = (await this.#launcher.take(address, STATUS_BYTES))?.readUInt32LE(0)
      if (status === undefined) break
      const stopSignal = stopSignalOf(status)
      if (stopSignal === undefined) return endingOf(status)
      onStop(stopSignal)
    }
    throw new CommandError(
      `How ${this.name} ended is not known: somebody has killed its parent, the launcher (pid ${this.launcherPid})`,
      STATUS_FAILED,
    )
  }

  /** Ends the launcher after the command, and waits for it: so what both used counts as used by this process's children. */
  async close(): Promise<void> {
    this.#launcher.dismiss()
    await Promise.race([this.#launcher.ended, sleep(MAX_CLOSE_MS, undefined, { ref: false })])
  }

  /** Ends the launcher: a command that was not released never begins. */
  dismiss(): void {
    this.#launcher.dismiss()
  }

  /** Sends the command a signal; one that was not released ends. */
  kill(signal: NodeJS.Signals): void {
    try {
      if (this.#pid === undefined) this.#launcher.dismiss()
      else process.kill(this.#pid, signal)
    } catch {
      // It has ended.
    }
  }

  /** The errno of the exec that failed last; 0 when the command was made. */
  async #make(): Promise<number> {
    const launcher = this.#launcher
    const { mask, ignore } = this.#strings
    const all = await launcher.put(SIGSET_BYTES, () => new Uint8Array(BigUint64Array.of(ALL_SIGNALS).buffer))
    if (all === undefined) return 0
    // Ctrl-C is the command's from here on: the launcher is to live as long as the command.
    await launcher.call('rt_sigprocmask', SIG_SETMASK, all, 0, SIGSET_BYTES)
    // Until the exec the child answers, and the launcher waits; then that answers with the child's pid.
    let answer = await launcher.call('clone', CLONE_VFORK | SIGCHLD)
    for (const signal of this.#state.ignored) {
      if (answer === 0n) answer = await launcher.call('rt_sigaction', signal, ignore, 0, SIGSET_BYTES)
    }
    // In the child's memory alone: if that is killed now, the launcher gets the exec and cannot make it.
    const table = stringTables([this.#files])
    let files: readonly bigint[] = []
    if (answer === 0n) {
      await launcher.put(table.sizeBytes, (address) => {
        const { bytes, tables } = table.place(address)
        files = tables[0]?.strings ?? []
        return bytes
      })
      answer = await launcher.call('rt_sigprocmask', SIG_SETMASK, mask, 0, SIGSET_BYTES)
    }
    let errno = ENOENT
    for (const file of files) {
      if (answer !== 0n) break
      const refused = await this.#exec(file, this.#strings.argv.address)
      if (refused < 0) return this.#began(-refused)
      if (isTriedFurther(refused)) {
        // A file that is not executable says more than others which are not there.
        if (refused === EACCES) errno = EACCES
        continue
      }
      errno = isScript(refused) ? await this.#execScript(file) : refused
      if (errno < 0) return this.#began(-errno)
      break
    }
    if (answer !== undefined && answer > 0n) return this.#began(Number(answer))
    if (answer === 0n) await launcher.call('exit_group', STATUS_FAILED)
    return errno
  }

  #began(pid: number): 0 {
    this.#pid = pid
    return 0
  }

  /** A file that is no program of the kernel: sh(1) is given it, and the arguments. */
  async #execScript(file: bigint): Promise<number> {
    let shell = 0n
    const pointers = [file, ...this.#strings.argv.strings.slice(1), 0n]
    const tableBytes = (pointers.length + 1) * 8
    const table = await this.#launcher.put(tableBytes + SHELL.length, (address) => {
      shell = address + BigInt(tableBytes)
      const words = BigUint64Array.from([shell, ...pointers])
      return Buffer.concat([new Uint8Array(words.buffer), Buffer.from(SHELL)])
    })
    return table === undefined ? ENOENT : this.#exec(shell, table)
  }

  /** The errno of an exec that failed; the negative pid of the child when it did not, or the child was killed. */
  async #exec(file: bigint, argv: bigint): Promise<number> {
    try {
      const pid = await this.#launcher.call('execve', file, argv, this.#strings.environment.address)
      return -Number(pid ?? 0n)
    } catch (error) {
      if (error instanceof CallError) return error.errno
      throw error
    }
  }

  /** Waits for a change of the command, whose status is at `address` then. False when the launcher has ended. */
  async #wait(address: bigint): Promise<boolean> {
    for (let strays = 0; ; strays += 1) {
      try {
        return (await this.#launcher.call('wait4', this.#pid ?? -1, address, WUNTRACED, 0)) !== undefined
      } catch (error) {
        const isStray = error instanceof CallError && (error.errno === EFAULT || error.errno === EINTR)
        if (!isStray || strays >= MAX_STRAY_ANSWERS) throw asCommandError(error)
      }
    }
  }
}

function asCommandError(error: unknown): unknown {
  if (!(error instanceof CallError)) return error
  return new CommandError(`Cannot prepare the command: ${error.message}`, STATUS_FAILED, { cause: error })
}

async function startLauncher({ descriptors }: StartState): Promise<Launcher> {
  try {
    return await Launcher.start(descriptors)
  } catch (error) {
    throw new CommandError(
      'Cannot start commands: the launcher, which is a file of this package, cannot be executed ' +
        '(is it on a file system without execution? In a checkout, run npm run build)',
      STATUS_FAILED,
      { cause: error },
    )
  }
}

/** Gives the launcher what the command is to inherit. Signals come last: until then Ctrl-C ends it. */
async function prepare(launcher: Launcher, state: StartState, user: CommandUser | undefined): Promise<void> {
  await launcher.closeOnExec()
  const name = await launcher.put(NAME.length, () => Buffer.from(NAME))
  if (name !== undefined) await launcher.call('prctl', PR_SET_NAME, name)
  if (state.descriptorLimit !== undefined) await limitDescriptors(launcher, state.descriptorLimit)
  if (user === undefined) return
  const { uid, gid, groups } = user
  const list = new Uint8Array(Uint32Array.from(groups).buffer)
  const address = await launcher.put(list.length, () => list)
  if (address === undefined) return
  await launcher.call('setgroups', groups.length, address)
  await launcher.call('setresgid', gid, gid, gid)
  await launcher.call('setresuid', uid, uid, uid)
}

/** Node raises the soft limit to the hard one. */
async function limitDescriptors(launcher: Launcher, soft: number): Promise<void> {
  const limits = readFileSync('/proc/self/limits', 'latin1')
  const [, hard = ''] = /^Max open files +\d+ +(\d+)/m.exec(limits) ?? []
  if (hard === '' || soft >= Number(hard)) return
  const limit = BigUint64Array.of(BigInt(soft), BigInt(hard))
  const address = await launcher.put(limit.byteLength, () => new Uint8Array(limit.buffer))
  if (address !== undefined) await launcher.call('prlimit64', 0, RLIMIT_NOFILE, address, 0)
}

async function putStrings(
  launcher: Launcher,
  argv: readonly Buffer[],
  environment: readonly Buffer[],
  { blocked }: StartState,
): Promise<Strings> {
  const { sizeBytes, place } = stringTables([argv, environment])
  const signals = new BigUint64Array((SIGACTION_BYTES + SIGSET_BYTES) / 8)
  signals[0] = SIG_IGN
  signals[SIGACTION_BYTES / 8] = blocked
  let found: StringTable[] = []
  await launcher.put(sizeBytes, (address) => {
    const { bytes, tables } = place(address)
    found = tables
    return bytes
  })
  const ignore = await launcher.put(signals.byteLength, () => new Uint8Array(signals.buffer))
  const [argvTable, environmentTable] = found
  if (argvTable === undefined || environmentTable === undefined || ignore === undefined) {
    throw new CommandError('Cannot prepare the command: a signal has ended the launcher', STATUS_FAILED)
  }
  return { argv: argvTable, environment: environmentTable, ignore, mask: ignore + BigInt(SIGACTION_BYTES) }
}
