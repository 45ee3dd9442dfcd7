/** Names that files do not have: from LDAP, SSSD, systemd and others that nsswitch.conf(5) lists, by getent(1). */

import { readFileSync } from 'node:fs'
import type { Database, KeptServices } from './kept-services.js'

export interface NameServicesOptions {
  /** Default `/etc/nsswitch.conf`. */
  readonly nsswitchPath?: string
  /** Default `getent`. */
  readonly command?: string
  /** A clock in ms that never goes back. */
  readonly nowMs: () => number
}

/** Longest time that getent has: directories may be far away. */
const ANSWER_MS = 10_000
/** Shortest time between two calls: each is a process, which the events are about, too. */
const PAUSE_MS = 1000
/** Ids of one call, and ids that wait; others are asked for when they are next seen. */
const MOST_ASKED = 64
const MOST_WAITING = 256
/** So many answers are remembered, so long. */
const MOST_KNOWN = 16_384
const KNOWN_MS = 600_000

interface Known {
  readonly name: string | undefined
  readonly untilMs: number
}

/**
 * Asks for names of ids beside the events: the first look at an id finds nothing, later ones what was answered. Nothing is
 * asked where nsswitch.conf names no source but files.
 */
export class NameServices {
  readonly #database: Database
  readonly #options: NameServicesOptions
  readonly #known = new Map<number, Known>()
  readonly #waiting = new Set<number>()
  /** Ids that are asked for now. */
  #asked: readonly number[] = []
  #nextMs = 0
  #isUseless: boolean | undefined = undefined
  #kept: KeptServices | undefined = undefined

  constructor(database: Database, options: NameServicesOptions) {
    this.#database = database
    this.#options = options
  }

  /** Whether anybody is asked. */
  get isUseful(): boolean {
    this.#isUseless ??= !hasOthers(this.#database, this.#options.nsswitchPath ?? '/etc/nsswitch.conf')
    return !this.#isUseless
  }

  /** From now on it is asked through a process that can do it whatever this one may. */
  askBy(kept: KeptServices): void {
    this.#kept = kept
  }

  /** The name of an id, if it was answered; else it is asked for. */
  nameOf(id: number): string | undefined {
    if (!this.isUseful) return undefined
    const now = this.#options.nowMs()
    const known = this.#known.get(id)
    if (known === undefined || now >= known.untilMs) {
      if (this.#waiting.size < MOST_WAITING && !this.#asked.includes(id)) this.#waiting.add(id)
      if (this.#asked.length === 0 && this.#waiting.size > 0 && now >= this.#nextMs) this.#ask(now)
    }
    return known?.name
  }

  #ask(now: number): void {
    const ids = [...this.#waiting].slice(0, MOST_ASKED)
    for (const id of ids) this.#waiting.delete(id)
    this.#asked = ids
    this.#nextMs = now + PAUSE_MS
    if (this.#kept !== undefined) {
      this.#kept.ask(this.#database, ids, (output) => {
        this.#asked = []
        if (output === undefined) this.#isUseless = true
        this.#take(ids, output ?? '')
      })
      return
    }
    const limits = { timeout: ANSWER_MS, maxBuffer: 1 << 20, encoding: 'utf8' } as const
    const command = this.#options.command ?? 'getent'
    // Loaded when it is needed: that takes some ms of a start.
    const { execFile } = process.getBuiltinModule('node:child_process')
    const child = execFile(command, [this.#database, ...ids.map(String)], limits, (error, output) => {
      this.#asked = []
      // Without the program nobody answers; 2 is that some ids are not known.
      if (error !== null && (error as NodeJS.ErrnoException).code === 'ENOENT') this.#isUseless = true
      this.#take(ids, output)
    })
    // It keeps no process that is done with its work.
    child.unref()
    child.stdout?.on('error', () => undefined)
  }

  #take(ids: readonly number[], output: string): void {
    const names = new Map<number, string>()
    for (const line of output.split('\n')) {
      const [, name, digits] = /^([^:]{1,256}):[^:]*:(\d{1,10})(?::|$)/.exec(line) ?? []
      if (name !== undefined) names.set(Number(digits), name)
    }
    if (this.#known.size + ids.length > MOST_KNOWN) this.#known.clear()
    const untilMs = this.#options.nowMs() + KNOWN_MS
    for (const id of ids) this.#known.set(id, { name: names.get(id), untilMs })
  }
}

/** Whether other sources than files are asked for names. */
function hasOthers(database: Database, path: string): boolean {
  try {
    const line = new RegExp(`^\\s*${database}:(.*)$`, 'm').exec(readFileSync(path, 'utf8'))?.[1] ?? ''
    const sources = line
      .replace(/#.*|\[[^\]]*\]/g, '')
      .trim()
      .split(/\s+/)
    return sources.some((source) => source !== '' && source !== 'files' && source !== 'compat')
  } catch {
    return false
  }
}
