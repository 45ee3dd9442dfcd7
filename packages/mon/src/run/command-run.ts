import { quote } from '../arguments.js'
import type { HeldCommand } from './held-command.js'
import { Job } from './job.js'
import type { CommandUser } from './user.js'
import type { Ending } from './wait-status.js'

/** What signals do to the watching while a command runs. */
export interface Watching {
  /** Ends it soon. */
  readonly end: () => void
  /** Opens the output file again, and reads the rules again; false if there is neither. */
  readonly reopen: () => boolean
}

/** A command whose end is not known by then is still running. */
const ENDING_MS = 100

/** Number of SIGINT. */
const SIGINT = 2

/** A command from its start to its end, which may come after the end of the watching. */
export class CommandRun {
  /** All processes of the command are descendants of this one, which is not one of them. */
  readonly launcherPid: number
  /** Whom it runs as, if that is not this process's user. */
  readonly user: CommandUser | undefined
  readonly #held: HeldCommand
  readonly #job: Job
  readonly #note: (text: string) => void
  /** The watching ended before the command, as Ctrl-C asked for twice. */
  isCutShort = false
  #watching: Watching | undefined
  #ended: Promise<Ending> | undefined

  constructor(held: HeldCommand, note: (text: string) => void) {
    this.launcherPid = held.launcherPid
    this.user = held.user
    this.#held = held
    this.#note = note
    this.#job = new Job({
      kill: (signal) => this.#kill(signal),
      pid: () => held.pid,
      onTwice: () => this.#onTwice(),
      onHangUp: () => this.#watching?.reopen() === true,
    })
  }

  /** Whether the command was let begin. */
  get isReleased(): boolean {
    return this.#ended !== undefined
  }

  /** How the command ended, if it has: not waited for long. */
  async ending(): Promise<Ending | undefined> {
    const soon = new Promise<undefined>((resolve) => setTimeout(resolve, ENDING_MS, undefined))
    return Promise.race([this.#ended?.catch(() => undefined), soon])
  }

  /** Says what watches from now on; undefined when that has ended. */
  set watching(watching: Watching | undefined) {
    this.#watching = watching
  }

  /**
   * Lets the command begin.
   *
   * @param onEnd called when it has ended
   * @throws {CommandError} when its program cannot be executed
   */
  async release(onEnd: () => void): Promise<void> {
    await this.#held.release()
    this.#ended = this.#held.ended(() => this.#job.stop())
    void this.#ended.then(onEnd, onEnd)
  }

  /**
   * Waits for the end of the command; one that was not released never begins, as if Ctrl-C had ended it.
   *
   * @throws {CommandError} when it cannot be known
   */
  async end(): Promise<Ending> {
    const ending = this.#ended === undefined ? { code: null, signal: SIGINT } : await this.#ended
    await this.#held.close()
    return ending
  }

  /** Ends a launcher that is not needed any more, and leaves signals to others. */
  [Symbol.dispose](): void {
    this.#held.dismiss()
    this.#job[Symbol.dispose]()
  }

  /** A signal before the command has begun ends the run. */
  #kill(signal: NodeJS.Signals): void {
    this.#held.kill(signal)
    if (!this.isReleased) this.#watching?.end()
  }

  #onTwice(): void {
    const { name, pid = 0 } = this.#held
    this.#note(
      `quark-mon: Ctrl-C came twice: it watches no more, and waits for ${quote(name)} (pid ${pid}) to end; ` +
        'the next Ctrl-C ends quark-mon alone\n',
    )
    this.isCutShort = true
    this.#watching?.end()
  }
}
