// Feeds a recording to the pipeline many times and prints the rates. Run by pipeline.mjs, in a process of its own.
import { createEcs, defaultAggregation, jsonOf, Quark, textOf } from 'quark'
import { TimeBase } from '../packages/quark/dist/event/time-base.js'
import { kinds } from '../packages/quark/dist/kinds/index.js'
import { Pipeline } from '../packages/quark/dist/pipeline.js'
import { FRAME_CGROUPS, FRAME_SNAPSHOT, FRAME_STEP } from '../packages/quark/dist/recording/format.js'
import { RecordingReader } from '../packages/quark/dist/recording/reader.js'
import { CgroupNames } from '../packages/quark/dist/state/cgroups.js'
import { ProcessTable } from '../packages/quark/dist/state/process-table.js'
import { median } from './measure.mjs'

const [path, passesText] = process.argv.slice(2)
const passes = Number(passesText)

/** Everything of the recording, in memory: the records of each step, and the step's time. */
function load() {
  const reader = new RecordingReader(path)
  const steps = []
  let cgroups = []
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
    if (frame.kind === FRAME_CGROUPS) cgroups = reader.json(frame)
    if (frame.kind !== FRAME_STEP && frame.kind !== FRAME_SNAPSHOT) continue
    const records = []
    const nowNs = reader.records(frame, (words, bytes, offset, length) => {
      records.push({ words, bytes, offset, length })
    })
    steps.push({ nowNs, records })
  }
  reader[Symbol.dispose]()
  return { steps, cgroups, bootEpochNs: BigInt(reader.header.bootEpochNs) }
}

const { steps, cgroups, bootEpochNs } = load()
const records = steps.reduce((sum, step) => sum + step.records.length, 0)
const bytes = steps.flatMap((step) => step.records).reduce((sum, { length }) => sum + length, 0)

let processes

function openPipeline() {
  const timeBase = new TimeBase(bootEpochNs)
  const names = new CgroupNames()
  for (const [id, name] of cgroups) names.set(BigInt(id), name)
  processes = new ProcessTable({ graceMs: 4000, maxProcesses: 65_536 }, timeBase)
  return new Pipeline(
    { kinds, aggregation: defaultAggregation(), maxLength: 10_000, maxBufferBytes: 16 << 20, holdMs: 1000 },
    { timeBase, processes, cgroups: names, snapshotEvents: false },
  )
}

/** Feeds everything and hands each event to `take`; returns ms. */
function pass(take) {
  const pipeline = openPipeline()
  const startedMs = performance.now()
  for (const step of steps) {
    for (const record of step.records) {
      pipeline.insert(record.words, record.bytes, record.offset, record.length)
    }
    const events = []
    pipeline.pump(step.nowNs, events)
    for (const event of events) take(event)
  }
  const rest = []
  pipeline.flush(rest)
  for (const event of rest) take(event)
  return performance.now() - startedMs
}

function heapBytes() {
  globalThis.gc()
  globalThis.gc()
  return process.memoryUsage().heapUsed + process.memoryUsage().external
}

/** What an event keeps alive: the difference that keeping all of them makes, less what the pipeline keeps. */
function heldBytesPerEvent() {
  const kept = []
  const before = heapBytes()
  pass((event) => kept.push(event))
  return (heapBytes() - before) / kept.length
}

function measure(name, take) {
  let events = 0
  const count = (event) => {
    events += 1
    take(event)
  }
  const rates = Array.from({ length: passes }, () => records / (pass(count) / 1000))
  // The first half is left out of the median: code is still being compiled.
  const warm = rates.slice(passes >> 1)
  return {
    name,
    passes,
    median: median(warm),
    best: Math.max(...rates),
    first: rates[0],
    events: events / passes,
  }
}

const quark = await Quark.replay(path)
const ecsOf = createEcs({
  host: quark.host,
  userName: (uid) => quark.userName(uid),
  groupName: (gid) => quark.groupName(gid),
  lookup: (pid) => processes.lookup(pid),
})
await quark.close()

let length = 0
const rows = [measure('events, not looked at', () => {})]
const heldBefore = heapBytes()
const more = measure('events, not looked at, again', () => {})
rows[0].leakedBytesPerEvent = (heapBytes() - heldBefore) / (more.events * passes)
rows[0].heapBytesPerEvent = heldBytesPerEvent()
const readAll = measure('pid, exe, argv and times read', ({ process: subject, timeNs }) => {
  length += subject?.pid ?? 0
  length += (subject?.exe?.length ?? 0) + (subject?.argv?.length ?? 0)
  length += Number((subject?.startTimeNs ?? 0n) - timeNs)
})
rows.push(readAll)
rows.push(measure('text', (event) => (length += textOf(event).length)))
rows.push(measure('json', (event) => (length += jsonOf(event).length)))
rows.push(measure('ecs', (event) => (length += ecsOf(event).length)))
console.log(JSON.stringify({ records, recordBytes: bytes / records, rows, length }))
