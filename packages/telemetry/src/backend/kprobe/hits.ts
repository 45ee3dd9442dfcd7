/** Makes records of the hits of kprobe events: assembles the parts of a hit, and decodes them by its plan. */

import type { PerfSample, PerfSink } from 'quark-ebpf'
import { type ArgPlace, EventValues, type FetchPlan, type Fields, type TailLimits } from 'quark-ebpf/probe'
import type { Complete } from '../../facts/rungs.js'
import type { Outbox } from '../outbox.js'

/** One function that is hooked for one probe, with as many events as its arguments need. */
export interface HookedFunction {
  readonly plan: FetchPlan
  readonly events: readonly HookedEvent[]
  /** For each argument of the plan. */
  readonly places: readonly ArgPlace[]
  readonly complete?: Complete | undefined
}

export interface HookedEvent {
  readonly id: number
  readonly name: string
  /** No record of the event can be shorter. */
  readonly fixedSizeBytes: number
}

/** An event that makes a whole record, without a plan. */
export interface PlainEvent {
  readonly id: number
  /** Name in `Capabilities`. */
  readonly hook: string
  /** Makes the record; false when the bytes cannot be understood. */
  push(sample: PerfSample): boolean
}

interface Part {
  readonly hook: HookedFunction
  readonly index: number
}

/** A hit of which parts are still missing. */
interface OpenHit {
  readonly hook: HookedFunction
  readonly tid: number
  readonly timeNs: bigint
  readonly records: (Buffer | undefined)[]
  missing: number
}

const COMMON_TYPE_BYTES = 2

/**
 * Takes hits out of the perf rings and puts records into the outbox. All events of a hit are written one after the
 * other to the ring of its CPU, in an order that the kernel chooses. If one was lost, the kernel reports the loss in
 * its place, and the rest of the hit is dropped.
 */
export class HitSink implements PerfSink {
  readonly #outbox: Outbox
  readonly #parts = new Map<number, Part>()
  readonly #plain = new Map<number, PlainEvent>()
  readonly #open = new Map<number, OpenHit>()

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  /** Adds a hooked function, whose hits are then assembled. */
  add(hook: HookedFunction): void {
    for (const [index, { id }] of hook.events.entries()) this.#parts.set(id, { hook, index })
  }

  /** Adds an event that needs no plan. */
  addPlain(event: PlainEvent): void {
    this.#plain.set(event.id, event)
  }

  sample(sample: PerfSample): void {
    const { cpu, raw } = sample
    const id = raw.length < COMMON_TYPE_BYTES ? -1 : raw.readUInt16LE(0)
    const part = this.#parts.get(id)
    if (part === undefined) {
      const isUnderstood = this.#plain.get(id)?.push(sample) ?? false
      if (!isUnderstood) this.lost(cpu, 1)
      return
    }
    if (raw.length < (part.hook.events[part.index]?.fixedSizeBytes ?? 0)) {
      this.lost(cpu, 1)
      return
    }
    const hit = this.#hitOf(part, sample)
    hit.records[part.index] = raw
    hit.missing -= 1
    if (hit.missing > 0) return
    this.#open.delete(cpu)
    this.#push(hit, cpu)
  }

  lost(cpu: number, count: number): void {
    this.#open.delete(cpu)
    this.#outbox.noteLost(cpu, count)
  }

  /** The hit that a part belongs to; a part that cannot belong to the open one begins another. */
  #hitOf({ hook, index }: Part, { cpu, tid, timeNs }: PerfSample): OpenHit {
    const open = this.#open.get(cpu)
    if (open?.hook === hook && open.tid === tid && open.records[index] === undefined) return open
    const { length } = hook.events
    const hit: OpenHit = {
      hook,
      tid,
      timeNs,
      records: new Array<Buffer | undefined>(length).fill(undefined),
      missing: length,
    }
    this.#open.set(cpu, hit)
    return hit
  }

  #push({ hook, timeNs, records }: OpenHit, cpu: number): void {
    const { plan, places, complete } = hook
    const found = plan.read(new EventValues(places, records as Buffer[]))
    if (found === undefined) return
    const fields: Record<string, unknown> = { ...found.fields }
    const cut = found.cut.length > 0 && complete !== undefined ? complete(fields, found.cut) : found.cut
    const { record, limits } = plan.probe
    if (record === undefined) return
    this.#outbox.push(
      record,
      { cpu, timeNs: found.timeNs ?? timeNs },
      fields,
      cut.length === 0 ? limits : cutAtEnd(limits, cut, fields),
    )
  }
}

/** Makes the encoder mark tails of bytes as cut: they get one byte more, which is beyond the limit. */
function cutAtEnd(
  limits: TailLimits<Fields>,
  cut: readonly string[],
  fields: Record<string, unknown>,
): TailLimits<Fields> {
  const lower: Record<string, number | undefined> = { ...limits }
  for (const name of cut) {
    const value = fields[name]
    if (!(value instanceof Uint8Array)) continue
    fields[name] = Buffer.concat([value, Buffer.alloc(1)])
    lower[name] = value.length
  }
  return lower
}
