/**
 * Which fields of its records each rung of a kind's facts cannot fill. For programs and fetch arguments it is computed
 * for one known kernel; other rungs declare it. A kind has samples for it in `kinds/<name>/testing/rung-samples.ts`,
 * and the resulting table in `testdata/rung-fields.txt`.
 */

import { EbpfError } from 'quark-ebpf'
import { offsetEntryBtf } from 'quark-ebpf/btf'
import {
  compileProbe,
  type FieldPlace,
  type FunctionEntry,
  Lack,
  planFetch,
  type Probe,
  type RecordLayout,
  scratchLayout,
} from 'quark-ebpf/probe'
import { knownOffsets } from '../btf/known-offsets.js'
import type { Fact } from '../facts/fact.js'
import type { Rung, SourceRung, TracepointHook } from '../facts/rungs.js'

export interface RungSamples {
  /** The format of each tracepoint, and bytes of a hit. */
  readonly tracepoints?: Readonly<Record<string, TracepointSample>>
  /** Values of a scanned record in which everything is known. */
  readonly scanned?: { readonly layout: RecordLayout; readonly values: object }
}

export interface TracepointSample {
  readonly fields: ReadonlyMap<string, FieldPlace>
  readonly raw: Buffer
}

/** One record that one rung fills. */
export interface RungRow {
  readonly fact: string
  readonly rung: string
  readonly layout: RecordLayout
  /** Names of the fields that it cannot fill. */
  readonly lacks: readonly string[]
}

/** The kernel that programs and fetch arguments are made for here. */
const KERNEL = '6.12.117+deb12-cloud-amd64'
const entry = knownOffsets().kernels.find(({ release }) => release === KERNEL)
if (entry === undefined) throw new Error(`The known offsets lack ${KERNEL}`)
const btf = offsetEntryBtf(entry)

/** A row for each record of each rung, in the order of the facts. */
export function rungRows(facts: readonly Fact[], samples: RungSamples): RungRow[] {
  return facts.flatMap(({ name, rungs }) =>
    rungs.flatMap((rung) => rowsOf(rung, samples).map((row) => ({ fact: name, ...row }))),
  )
}

/** The row of what a kind finds when a queue is opened, if it looks for anything. */
export function scanRows({ scanned }: RungSamples): RungRow[] {
  if (scanned === undefined) return []
  const { layout, values } = scanned
  return [{ fact: '', rung: 'scan', layout, lacks: lackingOf(layout, Object.keys(values)) }]
}

/** The rows as a table for a person, each once. */
export function rungTable(rows: readonly RungRow[]): string {
  const cells = rows.map(({ fact, rung, layout, lacks }) => [
    fact,
    rung,
    layout.name,
    lacks.length === 0 ? '-' : lacks.join(' '),
  ])
  const all = [['FACT', 'RUNG', 'RECORD', 'FIELDS THAT IT CANNOT FILL'], ...cells]
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const lines = all.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return [...new Set(lines)].join('\n')
}

type Row = Omit<RungRow, 'fact'>

function rowsOf(rung: Rung, samples: RungSamples): Row[] {
  switch (rung.by) {
    case 'ebpf':
      return [
        ...rung.probes.flatMap(programRow),
        ...(rung.reader?.fills ?? []).map((layout) => ({ rung: 'ebpf maps', layout, lacks: [] })),
      ]
    case 'kprobe':
      return rung.hooks.flatMap((hook) => {
        if (!('probe' in hook)) return [tracepointRow(hook, samples)]
        return hook.entries.flatMap((choice) => choice.flatMap((entry) => fetchRow(hook.probe, entry)))
      })
    case 'procConnector':
      return saidRows(`procConnector ${rung.messages}`, rung)
    case 'audit':
      return saidRows(`audit ${rung.hook}`, rung)
    case 'source':
      return saidRows(`source ${rung.hook}`, rung)
  }
}

function saidRows(rung: string, { fills, leaves = [] }: Pick<SourceRung, 'fills' | 'leaves'>): Row[] {
  return fills.map((layout) => {
    const lacks = Object.keys(layout.at).filter((field) => leaves.includes(`${layout.name}.${field}`))
    return { rung, layout, lacks }
  })
}

function programRow(probe: Probe): Row[] {
  const { record, hook } = probe
  // Those of iterators go to a scan, whose records have a row.
  if (record === undefined || hook.kind === 'iterator') return []
  return [{ rung: `ebpf ${hook.kind}/${hook.target}`, layout: record, lacks: programLacks(probe) }]
}

function programLacks(probe: Probe): string[] {
  try {
    const target = {
      btf,
      flavor: 'probeRead',
      loop: 'helper',
      architecture: 'x64',
      cpus: 1,
      scratch: scratchLayout({ levels: 1, maxRecordBytes: 1 << 24, nestedRecordBytes: 0 }, 4096),
      ringSizeBytes: 1 << 20,
      cpuRings: undefined,
      preemptible: false,
      kernelPreempts: false,
      probeRead: true,
      fairUsers: false,
    } as const
    return compileProbe(probe, target).missing.map(({ field }) => field)
  } catch (error) {
    // The offset table lacks some types that a program needs: the declaration is used alone.
    if (!(error instanceof EbpfError)) throw error
    return [
      ...probe.fixed.flatMap(({ field, value }) => (value instanceof Lack ? field.name : [])),
      ...probe.tails.flatMap(({ field, source }) => (source instanceof Lack ? field.name : [])),
    ]
  }
}

function fetchRow(probe: Probe, entry: FunctionEntry): Row[] {
  const { record } = probe
  if (record === undefined) return []
  const { missing } = planFetch(probe, entry, { btf, architecture: 'x64', maxUserBytes: 2048 })
  return [{ rung: `kprobe ${entry.function}`, layout: record, lacks: missing.map(({ field }) => field) }]
}

function tracepointRow({ category, name, layout, bind }: TracepointHook, samples: RungSamples): Row {
  const sample = samples.tracepoints?.[name]
  const values = sample === undefined ? undefined : bind(sample.fields)?.(sample.raw)
  if (values === undefined) throw new Error(`No sample of the tracepoint ${name} is understood`)
  return { rung: `tracepoint ${category}/${name}`, layout, lacks: lackingOf(layout, Object.keys(values)) }
}

function lackingOf(layout: RecordLayout, filled: readonly string[]): string[] {
  const strange = filled.find((name) => !(name in layout.at))
  if (strange !== undefined) throw new Error(`${layout.name} has no field ${strange}`)
  return Object.keys(layout.at).filter((name) => !filled.includes(name))
}
