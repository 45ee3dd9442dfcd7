/** Signals while a command runs: what is the command's, and what is quark-mon's. */

import { monotonicMs } from '../clock.js'
import { readFileSync } from 'node:fs'

/** A second Ctrl-C within this time ends the watching. */
const TWICE_MS = 2000

/** Signals that a command is to get when this process alone got them. */
const PASSED_ON = ['SIGTERM', 'SIGHUP', 'SIGUSR2'] as const
/** Signals that a terminal sends to this process and the command alike. */
const OF_KEYS = ['SIGINT', 'SIGQUIT'] as const

/** What a job acts on. */
export interface JobParts {
  /** The command; undefined before it begins. */
  readonly pid: () => number | undefined
  readonly kill: (signal: NodeJS.Signals) => void
  /** Ctrl-C was pressed twice: the watching ends, and the command goes on. */
  readonly onTwice: () => void
  /** SIGHUP came; true if it means something else than the end of the terminal. */
  readonly onHangUp: () => boolean
}

/**
 * Handles signals so that the command gets each as if it had been started without quark-mon. Ctrl-C and Ctrl-\ reach it by
 * the terminal; what was sent to this process alone is passed on. When the command stops, this process does, so that the
 * shell gets the terminal back; when this one is continued, the command is.
 */
export class Job {
  readonly #parts: JobParts
  readonly #handlers: [NodeJS.Signals, () => void][] = []
  #interruptedMs = Number.NEGATIVE_INFINITY

  constructor(parts: JobParts) {
    this.#parts = parts
    for (const signal of PASSED_ON) this.#on(signal, () => this.#passOn(signal))
    for (const signal of OF_KEYS) this.#on(signal, () => this.#key(signal))
    this.#on('SIGCONT', () => this.#continueAlong())
  }

  /**
   * The command has stopped: this process stops, if it still is. By SIGTSTP, and not SIGSTOP: where nobody could continue
   * this process, the kernel ignores it.
   */
  stop(): void {
    const pid = this.#parts.pid()
    if (pid !== undefined && isStopped(pid)) process.kill(process.pid, 'SIGTSTP')
  }

  /** Leaves the signals to others. */
  [Symbol.dispose](): void {
    for (const [signal, handler] of this.#handlers) process.off(signal, handler)
  }

  #on(signal: NodeJS.Signals, handler: () => void): void {
    this.#handlers.push([signal, handler])
    process.on(signal, handler)
  }

  #passOn(signal: NodeJS.Signals): void {
    if (signal === 'SIGHUP' && this.#parts.onHangUp()) return
    this.#parts.kill(signal)
  }

  #key(signal: 'SIGINT' | 'SIGQUIT'): void {
    // Before it begins it has no part of what the terminal sends.
    if (!isInForeground() || this.#parts.pid() === undefined) this.#parts.kill(signal)
    if (signal !== 'SIGINT') return
    const nowMs = monotonicMs()
    const isTwice = nowMs - this.#interruptedMs < TWICE_MS
    this.#interruptedMs = nowMs
    if (!isTwice) return
    // The next one is not caught: it ends quark-mon itself.
    for (const [name, handler] of this.#handlers) if (name === 'SIGINT') process.off(name, handler)
    this.#parts.onTwice()
  }

  #continueAlong(): void {
    const pid = this.#parts.pid()
    if (pid !== undefined && isStopped(pid)) this.#parts.kill('SIGCONT')
  }
}

/** The fields of /proc/PID/stat behind the name: state, ppid, pgrp, session, tty, tpgid … */
function statOf(pid: number | 'self'): readonly string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}

function isStopped(pid: number): boolean {
  return statOf(pid)[0] === 'T'
}

/** Whether keys of the terminal are signals for this process's group, which the command is in. */
function isInForeground(): boolean {
  const [, , group, , , foreground] = statOf('self')
  return group !== undefined && group === foreground
}
