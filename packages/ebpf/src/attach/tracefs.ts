/** The tracing file system: kprobe events, and how their records are laid out. */

import { constants as fsConstants, existsSync, readFileSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import { EbpfError } from '../errors.js'
import { KernelError } from '../sys/errors.js'
import { Fd } from '../sys/fd.js'
import { readAgain } from '../sys/files.js'
import { fileError, isTransient, permissionFacts } from '../sys/permission.js'

const USUAL_FOLDERS = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing']
const REMOVE_TRIES = 3
const MOUNTINFO = '/proc/self/mountinfo'

/** Where a field of an event lies in its record. */
export interface EventField {
  readonly offset: number
  readonly sizeBytes: number
  /** The place holds offset (low 16 bits) and length (high 16 bits) of the bytes themselves. */
  readonly dynamic: boolean
}

/**
 * Finds tracefs: where it usually is, else wherever it is mounted.
 *
 * @throws {EbpfError} ERR_EBPF_NOT_SUPPORTED when it is not mounted, ERR_EBPF_PERMISSION under lockdown
 */
export function findTracefs(): string {
  const folders = [...USUAL_FOLDERS, ...mountsOf(readText(MOUNTINFO) ?? '')]
  // The path below the folder triggers its automount.
  const found = folders.find((folder) => existsSync(`${folder}/kprobe_events`))
  if (found !== undefined) return found
  if (permissionFacts().lockdown === 'confidentiality') {
    throw new EbpfError(
      'ERR_EBPF_PERMISSION',
      'Cannot use kprobe events: kernel lockdown is "confidentiality", which leaves tracefs empty (boot without it)',
    )
  }
  const isMounted = folders.some((folder) => existsSync(`${folder}/events`))
  throw new EbpfError(
    'ERR_EBPF_NOT_SUPPORTED',
    isMounted
      ? 'Cannot use kprobe events: tracefs has no kprobe_events (this kernel was built without ' +
          'CONFIG_KPROBE_EVENTS)'
      : `Cannot use kprobe events: tracefs is not mounted at ${USUAL_FOLDERS.join(' or ')} ` +
          '(run: mount -t tracefs tracefs /sys/kernel/tracing)',
  )
}

/** Mount points of tracefs in a mountinfo file, its octal escapes undone. */
export function mountsOf(mountinfo: string): string[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [mount = '', source = ''] = line.split(' - ')
    const point = mount.split(' ')[4]
    if (point === undefined || source.split(' ')[0] !== 'tracefs') return []
    return [
      point.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
        String.fromCharCode(Number.parseInt(digits, 8)),
      ),
    ]
  })
}

/**
 * Kprobe events of one tracefs, all in the group `quark`. After the first is installed, the files stay open until
 * `close`, so events can be removed, and their misses read, after this process lost the right or the path to open them.
 */
export class KprobeEvents implements Disposable {
  static readonly GROUP = 'quark'
  readonly folder: string
  #commands: Fd | undefined
  #profile: Fd | undefined

  /** `folder` is what `findTracefs` answers. */
  constructor(folder: string) {
    this.folder = folder
  }

  /**
   * Installs an event. One of that name is replaced.
   *
   * @param args text of the fetch arguments, each `name=…`
   * @returns its id for perf_event_open(2)
   * @throws {KernelError} when the kernel refuses: ENOENT for a function that it does not have
   */
  install(name: string, symbol: string, args: readonly string[]): number {
    this.remove(name)
    const action = `Cannot put a kprobe event on "${symbol}"`
    this.#commands ??= this.#open(action)
    this.#profile ??= openIfThere(`${this.folder}/kprobe_profile`)
    this.#write(action, `p:${KprobeEvents.GROUP}/${name} ${symbol} ${args.join(' ')}`)
    const id = readText(`${this.#event(name)}/id`)
    if (id === undefined) {
      this.remove(name)
      throw new EbpfError('ERR_EBPF_NOT_SUPPORTED', `${action}: ${this.#event(name)} has no id`)
    }
    return Number(id)
  }

  /** Removes an event; false when there is none, or it is in use. */
  remove(name: string): boolean {
    if (this.#commands === undefined && !existsSync(this.#event(name))) return false
    for (let tries = 1; ; tries += 1) {
      try {
        this.#write(`Cannot remove the kprobe event "${name}"`, `-:${KprobeEvents.GROUP}/${name}`)
        return true
      } catch (error) {
        if (!(error instanceof KernelError)) throw error
        // An event that stays slows its function down for as long as the machine runs.
        if (!isTransient(error) || tries === REMOVE_TRIES) return false
      }
    }
  }

  /**
   * The names of all installed events of the group.
   *
   * @throws {KernelError} when the list may not be read
   */
  names(): string[] {
    const path = `${this.folder}/kprobe_events`
    try {
      return namesIn(readFileSync(path, 'latin1'))
    } catch (error) {
      throw failure('Cannot read the kprobe events', 'open', path, error)
    }
  }

  /** Where the fields of an installed event lie. */
  fields(name: string): Map<string, EventField> {
    return parseFormat(readText(`${this.#event(name)}/format`) ?? '')
  }

  #event(name: string): string {
    return `${this.folder}/events/${KprobeEvents.GROUP}/${name}`
  }

  /** Runs of events whose name begins with `prefix` that the kernel skipped; 0 before anything is installed. */
  misses(prefix: string): number {
    const profile = this.#profile === undefined ? '' : readAgain(this.#profile.number)
    let misses = 0
    for (const line of profile.split('\n')) {
      const [name = '', , missed = ''] = line.trim().split(/\s+/)
      if (name.startsWith(prefix)) misses += Number(missed)
    }
    return misses
  }

  /** Closes its files. What is installed stays. */
  close(): void {
    this.#commands?.close()
    this.#profile?.close()
    this.#commands = undefined
    this.#profile = undefined
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #open(action: string): Fd {
    const path = `${this.folder}/kprobe_events`
    try {
      // Without O_APPEND, opening for writing removes every event of the machine.
      return Fd.openFile(path, fsConstants.O_WRONLY | fsConstants.O_APPEND)
    } catch (error) {
      throw failure(action, 'open', path, error)
    }
  }

  #write(action: string, command: string): void {
    const fd = this.#commands ?? this.#open(action)
    try {
      writeSync(fd.number, `${command}\n`)
    } catch (error) {
      throw failure(action, 'write', `${this.folder}/kprobe_events`, error, this.#lastError())
    } finally {
      if (fd !== this.#commands) fd.close()
    }
  }

  /** The kernel's reason for refusing the last command. Needs Linux 5.2. */
  #lastError(): string | undefined {
    return readText(`${this.folder}/error_log`)
      ?.split('\n')
      .findLast((line) => line.includes('error:'))
      ?.replace(/^.*error: */, '')
  }
}

/** Names in a list of kprobe events. */
export function namesIn(list: string): string[] {
  const pattern = new RegExp(`^[pr][0-9]*:${KprobeEvents.GROUP}/(\\S+) `, 'gm')
  return [...list.matchAll(pattern)].map((match) => match[1] as string)
}

/**
 * A tracepoint's id for perf_event_open(2) and its fields.
 *
 * @throws {EbpfError} ERR_EBPF_NOT_SUPPORTED when tracefs does not show it
 */
export function tracepointEvent(
  folder: string,
  category: string,
  name: string,
): { readonly id: number; readonly fields: Map<string, EventField> } {
  const event = `${folder}/events/${category}/${name}`
  const id = readText(`${event}/id`)
  if (id === undefined) {
    const reason = `Cannot use the tracepoint "${category}/${name}": ${event}/id cannot be read`
    throw new EbpfError('ERR_EBPF_NOT_SUPPORTED', reason)
  }
  return { id: Number(id), fields: parseFormat(readText(`${event}/format`) ?? '') }
}

/** Reads the fields of a `format` file. */
export function parseFormat(format: string): Map<string, EventField> {
  const fields = new Map<string, EventField>()
  for (const line of format.split('\n')) {
    const match = /^\s*field:(.*?)(\w+)(?:\[[^\]]*\])?;\s*offset:(\d+);\s*size:(\d+);/.exec(line)
    if (match === null) continue
    const [, type = '', name = '', offset, size] = match
    fields.set(name, {
      offset: Number(offset),
      sizeBytes: Number(size),
      dynamic: type.includes('__data_loc'),
    })
  }
  return fields
}

function failure(action: string, call: string, path: string, error: unknown, said?: string): unknown {
  const { errno } = error as { errno?: unknown }
  const { EROFS, EPERM, EACCES } = constants.errno as typeof constants.errno & { EROFS: number }
  const isRefused = errno === -EPERM || errno === -EACCES
  const advice = errno === -EROFS ? 'tracefs is mounted read-only: run mount -o remount,rw on it' : said
  return fileError(action, `${call} of ${path}`, error, isRefused ? undefined : advice)
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

function openIfThere(path: string): Fd | undefined {
  try {
    return Fd.openFile(path, 'r')
  } catch {
    return undefined
  }
}
