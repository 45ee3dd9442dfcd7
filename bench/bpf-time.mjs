/** Nanoseconds that the BPF programs take from fork, exec and exit. */
import { readFileSync, writeFileSync } from 'node:fs'
import {
  attachTracing,
  BPF_PROG_TYPE_TRACING,
  BPF_TRACE_RAW_TP,
  kernelBtf,
  Program,
  ProbeSession,
} from 'quark-ebpf'
import { Assembler, R0 } from 'quark-ebpf/asm'
import { probe, record } from 'quark-ebpf/probe'
import * as kernel from '../packages/telemetry/dist/kinds/process/kernel.js'
import { median, quantile, rotated, run } from './measure.mjs'
import { makeDirectory, spawnProgram, writeProgram, writeTrue } from './programs.mjs'

const STATS_FILE = '/proc/sys/kernel/bpf_stats_enabled'
/** As `quark-mon` has it. */
const RING_SIZE_BYTES = 2 << 20
/** Processes between two drains; with a poll every 100 ms these are 1,500 processes a second. */
const STORM = 150
const ENV = Array.from({ length: 30 }, (_, i) => `VARIABLE_${i}=${'value '.repeat(5)}${i}`)
const AIM_NS = 2500
const HOOKS = ['fork', 'exec', 'exit', 'comm']

const settings = { maxArgvBytes: 131_072, maxEnvBytes: 0, cgroupHierarchy: 'unified', kernelThreads: false }

function probesOf(changes = {}) {
  const merged = { ...settings, ...changes }
  return [
    kernel.forkProbe(merged),
    kernel.execProbe(merged),
    changes.usage === true ? kernel.exitUsageProbe(merged) : kernel.exitProbe(merged),
    kernel.commProbe(merged),
  ]
}

/** The same hooks with records that are a header and nothing else. */
function headerProbes() {
  const [fork, exec, exit, comm] = probesOf()
  const bare = ({ name, hook, record: { type } }) =>
    probe({ name, hook, record: record(type, 'bare', {}) }, () => ({ fill: {} }))
  return [bare(fork), bare(exec), bare(exit), comm]
}

/** Programs that do nothing: what the statistics themselves cost. */
function attachEmpty() {
  const btf = kernelBtf()
  const opened = []
  const programs = probesOf().map(({ name, hook: { target } }) => {
    const program = Program.load({
      name,
      type: BPF_PROG_TYPE_TRACING,
      expectedAttachType: BPF_TRACE_RAW_TP,
      attachBtfId: btf.findTracepoint(target).id,
      code: new Assembler().movImm(R0, 0).exit().assemble().bytes,
    })
    opened.unshift(attachTracing(program, target))
    opened.push(program)
    return program
  })
  return { programs, close: () => opened.forEach((one) => one.close()) }
}

function attachProbes(probes, flavor, options = {}) {
  const session = ProbeSession.open(
    { btf: kernelBtf(), ringSizeBytes: RING_SIZE_BYTES, flavors: [flavor], ...options },
    probes,
  )
  try {
    const programs = probes.map((one) => session.attach(one))
    return { programs, read: () => read(session), close: () => session.close() }
  } catch (error) {
    session.close()
    throw error
  }
}

function read(session) {
  session.drain({ record: () => {} })
  const lost = [...session.counters().lost.values()].reduce((sum, count) => sum + count, 0)
  if (lost > 0) throw new Error(`${lost} records found no room`)
}

const VARIANTS = [
  { name: 'empty programs (floor)', attach: attachEmpty },
  { name: 'header only', attach: () => attachProbes(headerProbes(), 'direct') },
  { name: 'default, direct', attach: () => attachProbes(probesOf(), 'direct') },
  {
    name: 'default, one ring',
    attach: () => attachProbes(probesOf(), 'direct', { cpuRings: false }),
  },
  { name: 'default, probe_read', attach: () => attachProbes(probesOf(), 'probeRead') },
  {
    name: '--env, direct',
    attach: () => attachProbes(probesOf({ maxEnvBytes: 32_768 }), 'direct'),
  },
  { name: '--usage, direct', attach: () => attachProbes(probesOf({ usage: true }), 'direct') },
]

/** ns per run of each program while storms run; the ring is drained in between. */
function measure({ attach }, storm, storms) {
  const { programs, read, close } = attach()
  try {
    const before = programs.map((program) => program.info())
    for (let i = 0; i < storms; i++) {
      run(storm)
      read?.()
    }
    return programs.map((program, i) => {
      const { runTimeNs, runCount } = program.info()
      return (runTimeNs - before[i].runTimeNs) / (runCount - before[i].runCount)
    })
  } finally {
    close()
  }
}

export async function bpfTime({ quick }) {
  const directory = makeDirectory()
  const argv = [writeTrue(directory), 'argument']
  const storms = quick ? 7 : 20
  const count = storms * STORM
  const storm = writeProgram(directory, 'storm', spawnProgram({ count: STORM, argv, env: ENV }))
  const rounds = quick ? 3 : 15
  const samples = new Map(VARIANTS.map(({ name }) => [name, []]))
  const wasEnabled = readFileSync(STATS_FILE, 'latin1')
  const restore = () => writeFileSync(STATS_FILE, wasEnabled)
  process.once('exit', restore)
  writeFileSync(STATS_FILE, '1')
  try {
    for (let round = 0; round < rounds; round++) {
      for (const variant of rotated(VARIANTS, round)) {
        samples.get(variant.name).push(measure(variant, storm, storms))
      }
    }
  } finally {
    restore()
    process.off('exit', restore)
  }
  return report(samples, { count, rounds })
}

function report(samples, { count, rounds }) {
  const sums = (name) => samples.get(name).map((parts) => parts.reduce((a, b) => a + b))
  // Round by round: a machine that is slow for a while is so for the floor as well.
  const floorsNs = sums(VARIANTS[0].name)
  const netsNs = (name) => sums(name).map((sumNs, round) => sumNs - floorsNs[round])
  const netNs = (name) => median(netsNs(name))
  const rows = VARIANTS.map(({ name }) => [
    name,
    ...HOOKS.map((_, i) => median(samples.get(name).map((parts) => parts[i])).toFixed(0)),
    median(sums(name)).toFixed(0),
    netNs(name).toFixed(0),
    [0.25, 0.75].map((share) => quantile(netsNs(name), share).toFixed(0)).join('–'),
  ])
  const measured = median(sums('default, direct'))
  return {
    tables: [
      {
        title: `ns per run, medians of ${rounds} rounds of ${count} fork + exec + exit`,
        columns: ['programs', ...HOOKS, 'sum', 'sum less floor', 'quartiles'],
        rows,
      },
    ],
    notes: [
      `The ring has its usual size, and is read after every ${STORM} processes.`,
      '`comm` runs once per exec, for task_rename, and writes nothing there.',
      'The statistics read the clock twice per run, and their price is in every figure but the last two. ' +
        'Machines differ most in the price of a clock read, so compare _sum less floor_ between machines.',
    ],
    figures: [
      {
        name: 'BPF time per fork + exec + exit, default, direct',
        value: `${(netNs('default, direct') / 1000).toFixed(2)} µs (${(measured / 1000).toFixed(2)} with the statistics)`,
        aim: 'at most 2.5 µs',
        isReached: netNs('default, direct') <= AIM_NS,
      },
    ],
  }
}
