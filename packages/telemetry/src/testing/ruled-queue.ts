/** Queues with rules over records, for tests: with a model of the kernel, or without. */

import { type Probe, probe, type RecordLayout, type Scalar, struct, tracepoint } from 'quark-ebpf/probe'
import type { BaseEvent } from '../event/event.js'
import { changingKinds, KernelRules, ruledRecords } from '../kernel-rules.js'
import { catalogue, kinds } from '../kinds/index.js'
import { jsonWriter } from '../output/json.js'
import { ManualClock } from '../pipeline/clock.js'
import { LiveFeed } from '../pipeline/live-feed.js'
import { Decisions } from '../process/ruled/decisions.js'
import { EndAnswers } from '../process/ruled/end-answers.js'
import { MAX_PREFIXES } from '../process/ruled/ends.js'
import { Ruling } from '../process/ruled/ruling.js'
import { RuleEngine } from '../rules/engine.js'
import type { RuleSet } from '../rules/rule-set.js'
import { rulesOf } from '../rule-sets.js'
import { RuledFilter } from '../ruled-filter.js'
import { Filter } from '../where/filter.js'
import { ModelMaps, Run } from './expressions.js'
import { FakeBackend } from './fake-backend.js'
import { testPipeline } from './process-records.js'

/** When a queue begins. */
export const BASE_NS = 100_000_000_000

/** What the programs of the model read of the kernel: fields of the record that they are about to write. */
type Fields = Readonly<Record<string, Scalar>>

const hook = tracepoint('model', [struct<Fields>('record', 'record')])
/** What programs ask about. */
const ASKED = ['pid', 'family', 'localPort', 'remotePort', 'remote0', 'remote1', 'remote2', 'remote3']

/** Programs of which only that comes from the kernel. */
function modelProbe(layout: RecordLayout): Probe {
  const names = [...layout.fixed, ...layout.tails].map(({ name }) => name)
  const lacks = Object.fromEntries(
    names.filter((name) => !ASKED.includes(name)).map((name) => [name, 'it is a model']),
  )
  return probe({ name: 'model', hook, record: layout }, (record) => ({
    fill: Object.fromEntries(
      names.filter((name) => ASKED.includes(name)).map((name) => [name, record[name]]),
    ) as never,
    lacks,
  }))
}

/** A queue over records: one that decides everything in user space, or one with a model of the kernel. */
export class RuledQueue {
  readonly clock = new ManualClock({ bootNs: BigInt(BASE_NS) })
  readonly maps = new ModelMaps()
  readonly backend = Object.assign(new FakeBackend(), { hasTakenAll: true })
  readonly events: BaseEvent[] = []
  readonly rules: RuleSet
  readonly #feed: LiveFeed
  readonly #kernel: KernelRules | undefined
  readonly #programs = new Map<number, { readonly program: Probe; readonly layout: RecordLayout }>()
  #seq = 0
  leftOut = 0

  constructor(text: string, hasKernel: boolean) {
    this.rules = rulesOf(text)
    const engine = new RuleEngine(this.rules)
    const filter = new Filter(
      {},
      { events: catalogue.events, userId: () => undefined, userNames: () => [], tracking: undefined },
    )
    const records = ruledRecords(catalogue)
    const ruling = new Ruling(records, () => this.clock.bootNowNs(), true)
    const changing = changingKinds(catalogue)
    this.#kernel = hasKernel
      ? new KernelRules(ruling, engine, { groups: records.events, changing })
      : undefined
    if (hasKernel) this.#open(ruling)
    const pipeline = testPipeline({ filter: new RuledFilter(engine, filter, this.#kernel), holdMs: 100 })
    this.#feed = new LiveFeed({
      backend: this.backend,
      pipeline,
      clock: this.clock,
      recorder: undefined,
      pollMs: 100,
      batchMs: 0,
      kernel: 'model',
      settle: (ns) => this.#kernel?.settle(ns),
    })
  }

  /** The maps of the model in place of those of a session. */
  #open(ruling: Ruling): void {
    const decided = this.maps.of('quark_decided')
    const leftOut = this.maps.of('quark_left_out')
    const asEntry = (value: Readonly<Record<string, number>>): Record<string, bigint> =>
      Object.fromEntries(Object.entries(value).map(([name, number]) => [name, BigInt(number)]))
    const decisions = new Decisions(
      {
        decided: {
          set: (pid, value) => void decided.set(pid, asEntry(value)),
          replace: (pid, value) => decided.has(pid) && decided.set(pid, asEntry(value)) !== undefined,
          delete: (pid) => decided.delete(pid),
        },
        leftOut: { get: (reason) => leftOut.get(reason)?.[''] },
      },
      ruling.records.groups,
      () => this.clock.bootNowNs(),
    )
    Object.defineProperty(ruling, 'decisions', { value: decisions })
    const ends = new EndAnswers(
      { answers: this.maps.byFields('quark_ends'), meanings: this.maps.byFields('quark_meanings') },
      MAX_PREFIXES,
    )
    Object.defineProperty(ruling, 'ends', { value: ends })
    for (const { layout } of kinds.flatMap((kind) => kind.records as readonly { layout: RecordLayout }[])) {
      this.#programs.set(layout.type, {
        layout,
        program: ruling.deciding(ruling.changing(modelProbe(layout))),
      })
    }
  }

  /** A program writes a record, or leaves it out. */
  take(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    const known = this.#programs.get(view.getUint16(0, true))
    if (known !== undefined) {
      const { layout, program } = known
      const read = (name: string): number => {
        const field = layout.fixed.find((one) => one.name === name)
        const at = layout.at[name] as number
        return field?.type.sizeBytes === 2 ? view.getUint16(at, true) : view.getUint32(at, true)
      }
      if (!new Run(this.maps, read).run(program)) {
        this.leftOut += 1
        return
      }
    }
    const copy = Uint8Array.from(bytes)
    this.#seq += 1
    new DataView(copy.buffer).setUint32(4, this.#seq, true)
    this.backend.made[0] = this.#seq
    this.backend.records.push(copy)
  }

  to(at: number): void {
    this.clock.advance(at - this.clock.bootNowNs())
  }

  pump(): void {
    this.#feed.pump(this.events)
  }

  finish(): string[] {
    this.#feed.finish(this.events)
    this.#kernel?.count()
    const write = jsonWriter(catalogue)
    return this.events.map((event) => write(event as never))
  }
}
