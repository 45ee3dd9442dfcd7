// Feeds a recording to the pipeline many times and prints the rates. Run by pipeline.mjs, in a process of its own.
import { createEcs, defaultAggregation, dumpOf, jsonOf, Quark } from 'quark-telemetry'
import { TimeBase } from '../packages/telemetry/dist/event/time-base.js'
import { catalogue, kinds } from '../packages/telemetry/dist/kinds/index.js'
import { checkOptions } from '../packages/telemetry/dist/options/check.js'
import { Pipeline } from '../packages/telemetry/dist/pipeline/pipeline.js'
import { FRAME_CGROUPS, FRAME_STEP, FRAME_TABLE } from '../packages/telemetry/dist/recording/format.js'
import { openRecording } from '../packages/telemetry/dist/recording/file.js'
import { RecordedTypes } from '../packages/telemetry/dist/recording/types.js'
import { worldOf } from '../packages/telemetry/dist/kinds/world.js'
import { median } from './measure.mjs'

const [path, passesText] = process.argv.slice(2)
const passes = Number(passesText)

/** Everything of the recording, in memory: the records of each step, and the step's time. */
function load() {
  const reader = openRecording(path)
  const types = new RecordedTypes(catalogue, reader.header.types)
  const asItIs = (value) => value
  const steps = []
  /** What tables have learnt, by kind. */
  const learnt = new Map()
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
    if (frame.kind === FRAME_CGROUPS) learnt.set('cgroup', reader.json(frame, asItIs))
    if (frame.kind === FRAME_TABLE) {
      const { kind, value } = reader.json(frame, asItIs)
      learnt.set(kind, value)
    }
    if (frame.kind !== FRAME_STEP) continue
    const records = []
    const bytes = Buffer.from(frame.payload.buffer, frame.payload.byteOffset, frame.payload.length)
    const nowNs = reader.records(frame, (words, _bytes, offset, length) => {
      const treatment = types.of(bytes.readUInt16LE(offset))
      if (treatment?.type === undefined) return
      if (treatment.transcoder !== undefined)
        throw new Error(`Records of ${treatment.name} are laid out otherwise`)
      bytes.writeUInt16LE(treatment.type, offset)
      records.push({ words, bytes, offset, length })
    })
    steps.push({ nowNs, records })
  }
  reader[Symbol.dispose]()
  return { steps, learnt, bootEpochNs: BigInt(reader.header.bootEpochNs) }
}

const { steps, learnt, bootEpochNs } = load()
const all = steps.flatMap((step) => step.records)
const records = all.length
const bytes = all.reduce((sum, { length }) => sum + length, 0)
/** The next pass begins when this one is over. */
const spanNs = Math.ceil(steps.at(-1).nowNs - steps[0].nowNs)
const SPAN_LO = spanNs % 2 ** 32
const SPAN_HI = Math.floor(spanNs / 2 ** 32)
const layouts = new Map(catalogue.recordTypes.map(({ layout }) => [layout.type, layout]))
/** Records of each CPU in one pass. */
const perCpu = new Map()
for (const { bytes, offset } of all) {
  const cpu = bytes.readUInt16LE(offset + 2)
  perCpu.set(cpu, (perCpu.get(cpu) ?? 0) + 1)
}

/** So many passes have pids of their own; then pids repeat. */
const PID_ROUNDS = 16
const PID_STEP = 1 << 17

/** Moves the recording to later times and other pids, as the next part of a storm that never ends. */
function advance(round) {
  const pidStep = round % PID_ROUNDS === 0 ? -PID_STEP * (PID_ROUNDS - 1) : PID_STEP
  for (const { bytes, offset } of all) {
    const { at } = layouts.get(bytes.readUInt16LE(offset))
    const cpu = bytes.readUInt16LE(offset + 2)
    const seqAt = offset + 4
    bytes.writeUInt32LE((bytes.readUInt32LE(seqAt) + perCpu.get(cpu)) >>> 0, seqAt)
    later(bytes, offset + 8)
    if (at.startBootNs === undefined) continue
    later(bytes, offset + at.startBootNs)
    for (const name of ['pid', 'tid']) {
      const pidAt = offset + at[name]
      bytes.writeUInt32LE(bytes.readUInt32LE(pidAt) + pidStep, pidAt)
    }
  }
  for (const step of steps) step.nowNs += spanNs
}

/** Adds the span to a u64, without objects that the garbage collector would have to free. */
function later(bytes, at) {
  const lo = bytes.readUInt32LE(at) + SPAN_LO
  const carry = lo >= 2 ** 32 ? 1 : 0
  bytes.writeUInt32LE(lo - carry * 2 ** 32, at)
  bytes.writeUInt32LE(bytes.readUInt32LE(at + 4) + SPAN_HI + carry, at + 4)
}

const timeBase = new TimeBase(bootEpochNs)
const settings = checkOptions(catalogue.options, { snapshot: false })
const world = worldOf(kinds, { settings, timeBase })
for (const [kind, value] of learnt) world.table(kind).learnt.load(value)
const pipeline = new Pipeline(
  { kinds, aggregation: defaultAggregation(), maxLength: 10_000, maxBufferBytes: 16 << 20, holdMs: 1000 },
  world,
)
let round = 0

/**
 * Feeds all records and passes the events to `take`; returns ms by the clock, and of CPU time of all threads.
 * What is still held comes out in the next pass.
 */
function pass(take) {
  if (round > 0) advance(round)
  round += 1
  const startedMs = performance.now()
  const startedCpu = process.cpuUsage()
  for (const step of steps) {
    for (const record of step.records) {
      pipeline.insert(record.words, record.bytes, record.offset, record.length)
    }
    const events = []
    pipeline.pump(step.nowNs, events)
    for (const event of events) take(event)
  }
  const { user, system } = process.cpuUsage(startedCpu)
  return { wallMs: performance.now() - startedMs, cpuMs: (user + system) / 1000 }
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

/** Rates in records per second. */
function measure(name, passes, take) {
  let events = 0
  const count = (event) => {
    events += 1
    take(event)
  }
  const times = Array.from({ length: passes }, () => pass(count))
  // The first half is left out of the medians: code is still being compiled.
  const warm = times.slice(passes >> 1)
  const rate = (ms) => records / (ms / 1000)
  return {
    name,
    passes,
    median: rate(median(warm.map(({ wallMs }) => wallMs))),
    best: rate(Math.min(...times.map(({ wallMs }) => wallMs))),
    perCpuSecond: rate(median(warm.map(({ cpuMs }) => cpuMs))),
    first: rate(times[0].wallMs),
    events: Math.round(events / passes),
  }
}

const quark = await Quark.replay(path)
const ecsOf = createEcs({
  host: quark.host,
  userName: (uid) => quark.userName(uid),
  groupName: (gid) => quark.groupName(gid),
})
await quark.close()

let length = 0
const some = Math.ceil(passes / 4)
const rows = [measure('events, not looked at', passes, () => {})]
const heldBefore = heapBytes()
const more = measure('again', some, () => {})
rows[0].leakedBytesPerEvent = (heapBytes() - heldBefore) / (more.events * some)
rows[0].heapBytesPerEvent = heldBytesPerEvent()
const read = ({ process: subject, timeNs }) => {
  length += subject?.pid ?? 0
  length += (subject?.exe?.length ?? 0) + (subject?.argv?.length ?? 0)
  length += Number((subject?.startTimeNs ?? 0n) - timeNs)
}
rows.push(
  measure('pid, exe, argv and times read', some, read),
  measure('dump', some, (event) => (length += dumpOf(event).length)),
  measure('json', some, (event) => (length += jsonOf(event).length)),
  measure('ecs', some, (event) => (length += ecsOf(event).length)),
)
const { missing, rejected } = pipeline.counters
if (missing + rejected > 0)
  throw new Error(`Cannot trust the replay: ${missing} missing, ${rejected} rejected`)
console.log(JSON.stringify({ records, recordBytes: bytes / records, rows, length }))
