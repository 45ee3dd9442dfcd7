import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { cast, eq, narrowed, type Probe, type Scalar } from 'quark-ebpf/probe'
import { catalogue } from '../../kinds/index.js'
import { ruledRecords } from '../../kernel-rules.js'
import { checkOptions } from '../../options/check.js'
import { ManualClock } from '../../pipeline/clock.js'
import { RULES_IN_KERNEL, Ruling } from '../../process/ruled/ruling.js'
import { Sources } from '../sources.js'
import { EbpfBackend } from './ebpf.js'

const settings = checkOptions(catalogue.options, { getpid: true })
const facts = catalogue.kinds.flatMap((kind) =>
  kind.facts({ settings, hierarchy: undefined, isTracked: true }),
)

function open(ruling: Ruling): EbpfBackend {
  const sources = new Sources(new ManualClock())
  return EbpfBackend.open({ facts, sources, ringSizeBytes: 1 << 20, ruling })
}

/** A probe of which no program can be made. */
function broken(probe: Probe): Probe {
  return narrowed(probe, (filling) =>
    eq(cast<{ readonly none: Scalar }>('no_such_struct', filling('pid') as Scalar).none, 0),
  )
}

class Broken extends Ruling {
  readonly #what: 'deciding' | 'changing'

  constructor(what: 'deciding' | 'changing') {
    super(ruledRecords(catalogue), () => 0)
    this.#what = what
  }

  override deciding(probe: Probe): Probe {
    const ruled = super.deciding(probe)
    return ruled === probe || this.#what !== 'deciding' ? ruled : broken(ruled)
  }

  override changing(probe: Probe): Probe {
    const ruled = super.changing(probe)
    return ruled === probe || this.#what !== 'changing' ? ruled : broken(ruled)
  }
}

/** How many records of calls are written. */
function written(backend: EbpfBackend): number {
  spawnSync('/bin/sh', ['-c', 'exit 0'])
  backend.stop()
  return [...backend.counters().produced.values()].reduce((sum, count) => sum + count, 0)
}

test('where rules are asked by programs, that is among what is attached', () => {
  const ruling = new Ruling(ruledRecords(catalogue), () => 0)
  using backend = open(ruling)
  assert.equal(ruling.problem, undefined)
  assert.notEqual(ruling.decisions, undefined)
  assert.ok(backend.attached.some(({ fact }) => fact === RULES_IN_KERNEL))
})

test('a program that is refused with rules runs without them', () => {
  const ruling = new Broken('deciding')
  using backend = open(ruling)
  assert.ok(backend.attached.some(({ fact }) => fact === 'getpid'))
  assert.equal(ruling.decisions, undefined, 'nothing asks')
  assert.match(ruling.problem ?? '', /no_such_struct/)
  assert.ok(!backend.attached.some(({ fact }) => fact === RULES_IN_KERNEL))
  assert.ok(written(backend) > 0)
})

test('if what ends decisions is refused, nothing is decided in the kernel', () => {
  const ruling = new Broken('changing')
  using backend = open(ruling)
  assert.match(ruling.problem ?? '', /no_such_struct/)
  assert.equal(ruling.decisions, undefined)
  assert.ok(backend.attached.some(({ fact }) => fact === 'exec'))
  assert.ok(written(backend) > 0)
})
