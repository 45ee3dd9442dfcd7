/** A machine on which happens what a test says, and a queue that watches it: for tests of programs that take events. */

import { encodeRecord, type FieldsOf, type RecordLayout } from 'quark-ebpf/probe'
import { FakeBackend } from './fake-backend.js'
import { CommandReport } from './command-report.js'
import { QuarkError } from './errors.js'
import { catalogue, type QuarkEvent, type QuarkOptions } from './kinds/index.js'
import { execLayout, exitLayout, forkLayout } from './kinds/process/records.js'
import { AF_INET, AF_INET6, closeLayout, connectLayout, PHASE_CONNECTED } from './kinds/socket/records.js'
import { fakeParts } from './open.js'
import { ManualClock } from './pipeline/clock.js'
import { HAS_ENDING, HAS_IDENTITY } from './process/known.js'
import { type Quark, queueOf } from './quark.js'
import type { RunFacts, RunReport } from './report/report.js'
import { addressOf } from './where/address.js'

const NS_PER_MS = 1_000_000
/** 2024-01-01, some time after the machine was started. */
const BOOT_EPOCH_NS = 1_704_067_200_000_000_000n
const BEGIN_NS = 1_000_000_000_000n
/** Between two things that happen. */
const STEP_NS = 1_000_000
const INIT = 1

/** What a test says of a process. What is left out is as of the process that made it. */
export interface FakeProcess {
  /** Default: the next one. */
  readonly pid?: number
  /** Default: 1, which is there from the beginning. */
  readonly ppid?: number
  readonly uid?: number
  readonly gid?: number
  /** At most 15 bytes. */
  readonly comm?: string
  /** Working directory. */
  readonly cwd?: string
}

/** A program that a process becomes. */
export interface FakeProgram {
  /** Path of the program. */
  readonly exe: string
  /** Its name is the first. Default: the path alone. */
  readonly argv?: readonly string[]
  /** As far as the queue shows it (`maxEnvBytes`). */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** A connection that a process opens. */
export interface FakeConnection {
  readonly remoteIp: string
  readonly remotePort: number
  /** Default: one of the same family. */
  readonly localIp?: string
  readonly localPort?: number
}

/** The options of a queue, as far as they make sense without a kernel. */
export type FakeOptions = Omit<
  QuarkOptions,
  'backends' | 'bypass' | 'record' | 'signal' | 'where' | 'excludePids'
> &
  Pick<QuarkOptions, 'where'>

interface Known {
  readonly startNs: bigint
  readonly ppid: number
  readonly uid: number
  readonly gid: number
  comm: string
  cwd: string
}

/**
 * A machine on which happens what a test says, and a queue that watches it. Time passes by what happens, and by `advance`
 * alone: the same calls give the same events on any machine, without any rights.
 *
 * @example
 * ```ts
 * using machine = new FakeMachine()
 * const pid = machine.fork({ comm: 'sh' })
 * machine.exec(pid, { exe: '/usr/bin/curl', argv: ['curl', 'http://example.org'] })
 * machine.exit(pid)
 * assert.equal(machine.events()[0]?.process?.exe, '/usr/bin/curl')
 * ```
 */
export class FakeMachine implements Disposable {
  /** What watches it, which is a queue like any other. */
  readonly quark: Quark
  readonly #backend = new FakeBackend()
  readonly #clock = new ManualClock({ bootNs: BEGIN_NS, bootEpochNs: BOOT_EPOCH_NS })
  readonly #ending = new AbortController()
  readonly #holdMs: number
  readonly #processes = new Map<number, Known>()
  #nextPid = 1000
  #nextPort = 40_000
  #cookies = 0n

  /** @throws {OptionError} */
  constructor(options: FakeOptions = {}) {
    this.#processes.set(INIT, { startNs: 1n, ppid: 0, uid: 0, gid: 0, comm: 'init', cwd: '/' })
    const parts = fakeParts(
      catalogue,
      { ...options, signal: this.#ending.signal },
      this.#backend,
      this.#clock,
    )
    this.#holdMs = parts.settings.holdMs
    this.quark = queueOf(parts)
  }

  /** A process is made; returns its pid. */
  fork({ pid = this.#nextPid, ppid = INIT, ...given }: FakeProcess = {}): number {
    const parent = this.#known(ppid)
    const startNs = this.#passNs(STEP_NS)
    const { uid = parent.uid, gid = parent.gid, comm = parent.comm, cwd = parent.cwd } = given
    const process = { startNs, ppid, uid, gid, comm, cwd }
    this.#processes.set(pid, process)
    this.#nextPid = Math.max(this.#nextPid, pid + 1)
    this.#write(forkLayout, { ...identityOf(pid, process), creatorPid: ppid, cwd: pathOf(cwd) })
    return pid
  }

  /** A process executes a program. */
  exec(pid: number, { exe, argv = [exe], env = {}, cwd }: FakeProgram): void {
    const process = this.#known(pid)
    if (cwd !== undefined) process.cwd = cwd
    process.comm = exe.slice(exe.lastIndexOf('/') + 1).slice(0, 15)
    this.#passNs(STEP_NS)
    const [arguments_, variables] = [
      strings(argv),
      strings(Object.entries(env).map(([name, value]) => `${name}=${value}`)),
    ]
    this.#write(execLayout, {
      ...identityOf(pid, process),
      argvBytes: arguments_.length,
      envBytes: variables.length,
      cwd: pathOf(process.cwd),
      exe: pathOf(exe),
      argv: arguments_,
      env: variables,
    })
  }

  /** A process ends with a status, or by a signal. */
  exit(
    pid: number,
    { code = 0, signal = 0 }: { readonly code?: number; readonly signal?: number } = {},
  ): void {
    const process = this.#known(pid)
    this.#passNs(STEP_NS)
    this.#write(exitLayout, { ...identityOf(pid, process), leaderExitCode: (code << 8) | signal })
    this.#processes.delete(pid)
  }

  /** A process makes another one that runs a program to its end; returns its pid. */
  run(program: FakeProgram, by: FakeProcess = {}, code = 0): number {
    const pid = this.fork(by)
    this.exec(pid, program)
    this.exit(pid, { code })
    return pid
  }

  /**
   * A process opens a connection, which the queue shows with the option `sockets`.
   *
   * @returns closes it
   * @throws {QuarkError} ERR_QUARK_OPTION for what is no address
   */
  connect(pid: number, { remoteIp, remotePort, localIp, localPort }: FakeConnection): () => void {
    const process = this.#known(pid)
    const remote = wordsOf(remoteIp)
    const local = wordsOf(localIp ?? (remote.length === 1 ? '192.0.2.1' : '2001:db8::1'))
    this.#cookies += 1n
    this.#nextPort += 1
    const [local0 = 0, local1 = 0, local2 = 0, local3 = 0] = local
    const [remote0 = 0, remote1 = 0, remote2 = 0, remote3 = 0] = remote
    const ends = {
      pid,
      cookie: this.#cookies,
      startBootNs: process.startNs,
      sinceNs: this.#passNs(STEP_NS),
      family: remote.length === 1 ? AF_INET : AF_INET6,
      phase: PHASE_CONNECTED,
      localPort: swap16(localPort ?? this.#nextPort),
      remotePort: swap16(remotePort),
      local0,
      local1,
      local2,
      local3,
      remote0,
      remote1,
      remote2,
      remote3,
    }
    this.#passNs(STEP_NS)
    this.#write(connectLayout, ends)
    return () => {
      this.#passNs(STEP_NS)
      this.#write(closeLayout, { ...ends, closerPid: pid, closerStartBootNs: process.startNs, hasBytes: 1 })
    }
  }

  /** So many records are lost, as if the reader were too slow. */
  lose(count: number): void {
    this.#backend.made[0] = (this.#backend.made[0] as number) + count
  }

  /** Time passes. */
  advance(ms: number): void {
    this.#passNs(ms * NS_PER_MS)
  }

  /** The events of all that has happened so far: time passes until none of it is held any more. */
  events(): QuarkEvent[] {
    const events: QuarkEvent[] = []
    this.advance(this.#holdMs + 1)
    for (let batch = this.quark.poll(); batch.length > 0; batch = this.quark.poll()) events.push(...batch)
    // What is due at the same moment comes with the next look.
    this.advance(this.#holdMs + 1)
    events.push(...this.quark.poll())
    return events
  }

  /** The report about all that has happened so far, as `trace` would make it of a command that ended with 0. */
  report(facts: RunFacts = {}): RunReport {
    const collected = new CommandReport()
    for (const event of this.events()) collected.add(event)
    return collected.report({
      exitCode: 0,
      created: this.#backend.counters().produced.get(forkLayout.type) ?? 0,
      ...facts,
    })
  }

  /** Nothing more happens: `for await (const event of machine.quark)` ends with what is held. */
  end(): void {
    this.#ending.abort()
  }

  /** Closes the queue. */
  [Symbol.dispose](): void {
    this.end()
    void this.quark.close()
  }

  #known(pid: number): Known {
    const known = this.#processes.get(pid)
    if (known === undefined)
      throw new QuarkError('ERR_QUARK_OPTION', `There is no process ${pid} on this machine: fork it first`)
    return known
  }

  #passNs(ns: number): bigint {
    this.#clock.advance(Math.round(ns))
    return BigInt(this.#clock.bootNowNs())
  }

  #write<L>(layout: L, values: L extends RecordLayout<infer F> ? Partial<FieldsOf<F>> : never): void {
    this.#backend.made[0] = (this.#backend.made[0] as number) + 1
    const seq = this.#backend.made[0] as number
    const header = { cpu: 0, seq, timeNs: BigInt(this.#clock.bootNowNs()) }
    this.#backend.produce((layout as RecordLayout).type, encodeRecord(layout as RecordLayout, header, values))
  }
}

function identityOf(pid: number, { startNs, ppid, uid, gid, comm }: Known) {
  return {
    pid,
    tid: pid,
    startBootNs: startNs,
    known: HAS_IDENTITY | HAS_ENDING,
    ppid,
    pgid: pid,
    sid: pid,
    uid,
    gid,
    suid: uid,
    sgid: gid,
    euid: uid,
    egid: gid,
    comm,
  }
}

function pathOf(path: string) {
  return { path, root: '/', truncated: false, deleted: false }
}

/** Each with a NUL behind it, as argv is. */
function strings(texts: readonly string[]): Uint8Array {
  return Buffer.from(texts.map((text) => `${text}\0`).join(''))
}

/** The words of an address as records have them. */
function wordsOf(ip: string): number[] {
  const words = addressOf(ip)
  if (words === undefined) throw new QuarkError('ERR_QUARK_OPTION', `"${ip}" is no address`)
  const bytes = Buffer.alloc(4 * words.length)
  words.forEach((word, index) => bytes.writeUInt32BE(word, 4 * index))
  return words.map((_, index) => bytes.readUInt32LE(4 * index))
}

function swap16(port: number): number {
  return ((port & 0xff) << 8) | (port >>> 8)
}
