/** Installs the kprobe events of every fact, and removes those that a queue left behind. */

import { readFileSync } from 'node:fs'
import { EbpfError, type KprobeEvents, tracepointEvent } from 'quark-ebpf'
import {
  type ArgPlace,
  eventArg,
  type FetchPlan,
  type FetchTarget,
  type FunctionEntry,
  planFetch,
  splitArgs,
} from 'quark-ebpf/probe'
import type { Fact } from '../../facts/fact.js'
import type { FunctionHook, KprobeRung, TracepointHook } from '../../facts/rungs.js'
import { type Answers, attachFacts } from '../attach-facts.js'
import type { AttachedRung } from '../loaded-rung.js'
import type { HookedEvent, HookedFunction, PlainEvent } from './hits.js'
import type { Outbox } from '../outbox.js'
import type { Sources } from '../sources.js'
import { findStat, isGone, TICK_NS } from '../../process/procfs/enrich.js'

/** Most characters that `name` and `symbol` take in a command. */
const HEAD_CHARS = 160

export interface InstallOptions {
  readonly facts: readonly Fact[]
  readonly sources: Sources
  readonly target: FetchTarget
  /** How kernel memory is read, and where its layout is known from. */
  readonly flavor: string
  /** PERF_MAX_TRACE_SIZE, less what aligns a record. */
  readonly maxRecordBytes: number
  /** Prefix of the names of all events. */
  readonly prefix: string
  readonly outbox: Outbox
}

/** The events of one queue. `remove` deletes them, once nothing has them open, and closes `kprobes`. */
export class InstalledEvents {
  readonly answers: Answers
  readonly hooks: HookedFunction[] = []
  readonly plain: PlainEvent[] = []
  readonly #options: InstallOptions
  readonly #kprobes: KprobeEvents
  #count = 0
  #symbols: string | undefined

  /**
   * Installs the events of every fact that this kernel allows.
   *
   * @throws {EbpfError} when a fact that is required cannot be had; nothing is left installed then
   */
  constructor(kprobes: KprobeEvents, options: InstallOptions) {
    this.#kprobes = kprobes
    this.#options = options
    try {
      this.answers = attachFacts(options.facts, 'kprobe', options.sources, (rung, fact) => ({
        attach: () => this.#attach(rung, fact.name),
      }))
    } catch (error) {
      this.remove()
      throw error
    }
  }

  /** Ids of all events. */
  get ids(): number[] {
    return [
      ...this.hooks.flatMap(({ events }) => events.map(({ id }) => id)),
      ...this.plain.map(({ id }) => id),
    ]
  }

  /** Runs that the kernel skipped because a probe hit inside of another. */
  misses(): number {
    return this.#kprobes.misses(this.#options.prefix)
  }

  remove(): void {
    this.#removeHooks(this.hooks)
    this.#kprobes.close()
  }

  #removeHooks(hooks: readonly HookedFunction[]): void {
    for (const { events } of hooks) for (const { name } of events) this.#kprobes.remove(name)
  }

  #attach(rung: KprobeRung, fact: string): AttachedRung {
    const { flavor } = this.#options
    const hooks: HookedFunction[] = []
    const plain: PlainEvent[] = []
    try {
      for (const hook of rung.hooks) {
        if ('probe' in hook) this.#installHook(fact, hook, hooks)
        else plain.push(this.#tracepoint(hook))
      }
    } catch (error) {
      this.#removeHooks(hooks)
      throw error
    }
    this.hooks.push(...hooks)
    this.plain.push(...plain)
    return {
      hooks: [
        ...hooks.map(({ plan }) => ({ hook: `kprobe/${plan.function}`, flavor })),
        ...plain.map(({ hook }) => ({ hook, flavor })),
      ],
      missing: hooks.flatMap(({ plan }) => plan.missing),
      ...(rung.lacks === undefined ? {} : { lacks: rung.lacks }),
    }
  }

  #installHook(fact: string, hook: FunctionHook, hooks: HookedFunction[]): void {
    const choices = hook.entries
    const present = choices.filter((choice) => choice.every((entry) => this.#hasFunction(entry.function)))
    if (present.length === 0) {
      const names = choices.map((choice) => choice.map((entry) => entry.function).join(' and ')).join(', or ')
      throw new EbpfError('ERR_EBPF_NOT_SUPPORTED', `This kernel has no function ${names}`)
    }
    const refusals: EbpfError[] = []
    for (const entries of present) {
      try {
        hooks.push(...this.#installFunctions(fact, hook, entries))
        return
      } catch (error) {
        // There is a function, and yet no probe can be put on it: it is inlined, or the kernel forbids it.
        if (!(error instanceof EbpfError)) throw error
        refusals.push(error)
      }
    }
    throw refusals[0] as EbpfError
  }

  #installFunctions(fact: string, hook: FunctionHook, entries: readonly FunctionEntry[]): HookedFunction[] {
    const hooks: HookedFunction[] = []
    try {
      for (const entry of entries) hooks.push(this.#installFunction(fact, hook, entry))
      return hooks
    } catch (error) {
      this.#removeHooks(hooks)
      throw error
    }
  }

  #hasFunction(name: string): boolean {
    const { btf } = this.#options.target
    if (btf.findFunction(name) !== undefined) return true
    this.#symbols ??= readText('/proc/kallsyms') ?? ''
    return new RegExp(` [tT] ${name}$`, 'm').test(this.#symbols)
  }

  #installFunction(fact: string, { probe, complete }: FunctionHook, entry: FunctionEntry): HookedFunction {
    const { target, maxRecordBytes, prefix } = this.#options
    const plan = planFetch(probe, entry, target)
    const events: HookedEvent[] = []
    const places: ArgPlace[] = []
    try {
      for (const indexes of splitArgs(plan.args, { maxRecordBytes, headChars: HEAD_CHARS })) {
        const name = `${prefix}${fact}_${this.#count}`
        this.#count += 1
        events.push(this.#installEvent(name, plan, indexes, { places, event: events.length }))
      }
    } catch (error) {
      for (const { name } of events) this.#kprobes.remove(name)
      throw error
    }
    return { plan, events, places, complete }
  }

  #installEvent(
    name: string,
    plan: FetchPlan,
    indexes: readonly number[],
    { places, event }: { places: ArgPlace[]; event: number },
  ): HookedEvent {
    const args = indexes.map((index) => plan.args[index] as FetchPlan['args'][number])
    const id = this.#kprobes.install(name, plan.function, args.map(eventArg))
    const fields = this.#kprobes.fields(name)
    let fixedSizeBytes = 0
    for (const [at, index] of indexes.entries()) {
      const field = fields.get(args[at]?.name ?? '')
      if (field === undefined) {
        this.#kprobes.remove(name)
        throw new EbpfError(
          'ERR_EBPF_NOT_SUPPORTED',
          `The format of the event "${name}" lacks ${args[at]?.name}`,
        )
      }
      places[index] = { event, field }
      fixedSizeBytes = Math.max(fixedSizeBytes, field.offset + field.sizeBytes)
    }
    return { id, name, fixedSizeBytes }
  }

  #tracepoint({ category, name, layout, bind }: TracepointHook): PlainEvent {
    const { id, fields } = tracepointEvent(this.#kprobes.folder, category, name)
    const read = bind(fields)
    if (read === undefined) {
      throw new EbpfError('ERR_EBPF_NOT_SUPPORTED', `The tracepoint ${name} has other fields here`)
    }
    const { outbox } = this.#options
    return {
      id,
      hook: `tracepoint/${name}`,
      push: ({ cpu, timeNs, raw }) => {
        const values = read(raw)
        if (values === undefined) return false
        outbox.push(layout, { cpu, timeNs }, values)
        return true
      },
    }
  }
}

/** Prefix of the names of a queue's events. It identifies the process: without that, they can be removed. */
export function eventPrefix(queue: number): string {
  const { pid } = process
  const startBootNs = findStat({ pid, tid: pid, timeNs: 2n ** 63n })?.startBootNs ?? 0n
  return `quark_${pid}_${startBootNs / TICK_NS}_${queue}_`
}

/**
 * Removes the events of queues whose process is gone, even if its pid was reused or it is still a zombie.
 * Events in use cannot be removed, and stay.
 */
export function removeStale(kprobes: KprobeEvents): void {
  for (const name of kprobes.names()) {
    const [, pid, ticks] = /^quark_(\d+)_(\d+)_\d+_/.exec(name) ?? []
    if (pid === undefined || ticks === undefined) continue
    const owner = { pid: Number(pid), tid: Number(pid), timeNs: 0n, startBootNs: BigInt(ticks) * TICK_NS }
    if (isGone(owner)) kprobes.remove(name)
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}
