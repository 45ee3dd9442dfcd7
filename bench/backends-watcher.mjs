/** Watches a storm through one backend and writes the result as JSON: BACKEND COUNT. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Quark, QuarkError } from '../packages/telemetry/dist/index.js'
import {
  DeliveryTally,
  startStorm,
  STORM_STATUS,
  StormTally,
  sum,
} from '../packages/telemetry/dist/testing/storm.js'
import { childrenCpuMs } from './measure.mjs'
import { makeDirectory } from './programs.mjs'

/** The start is over: code is compiled, and its garbage is gone. */
const SETTLE_MS = 500
/** The storm is over once no event has come for so long. */
const QUIET_MS = 1500
const WHOLE = `fork,exec,exit ${STORM_STATUS}`
const FACTS = ['exe', 'argv', 'cwd', 'uid', 'capEffective']

async function storm(count) {
  const startedMs = performance.now()
  const cpuMs = childrenCpuMs()
  const run = startStorm(makeDirectory(), 'exec', count)
  const ended = run.ended.then(() => ({
    stormCpuMs: childrenCpuMs() - cpuMs,
    wallMs: performance.now() - startedMs,
  }))
  return { run, ended }
}

/** Takes all events until the storm is over and nothing comes any more. */
async function takeAll(quark, ended, take) {
  const storm = { costs: undefined }
  void ended.then((costs) => (storm.costs = costs))
  let lastMs = performance.now()
  while (storm.costs === undefined || performance.now() - lastMs < QUIET_MS) {
    await quark.wait(100)
    const events = quark.poll()
    take(events)
    if (events.length > 0 || storm.costs === undefined) lastMs = performance.now()
  }
  take(quark.finish())
  return storm.costs
}

async function watch(backend, count) {
  const quark = await Quark.open({ backends: [backend], snapshot: true })
  try {
    return await watchWith(quark, count)
  } finally {
    await quark.close()
  }
}

async function watchWith(quark, count) {
  const records = new DeliveryTally()
  records.take(quark.poll())
  await sleep(SETTLE_MS)
  records.take(quark.poll())
  const before = process.cpuUsage()
  const { run, ended } = await storm(count)
  const tally = new StormTally([run])
  // No pid comes back within one storm.
  const pids = new Set()
  let bare = 0
  const costs = await takeAll(quark, ended, (events) => {
    records.take(events)
    for (const event of events) {
      tally.add(event)
      if (event.kind !== 'process' || event.process.ppid !== run.pid) continue
      pids.add(event.process.pid)
      if (event.actions.includes('exit') && FACTS.some((name) => event.process[name] === undefined)) bare += 1
    }
  })
  const { user, system } = process.cpuUsage(before)
  const stats = quark.stats()
  const whole = tally.lives.get(WHOLE) ?? 0
  return {
    produced: sum(stats.produced),
    delivered: records.delivered(stats),
    ringFull: sum(stats.lostRingFull),
    rejected: stats.lostRejected,
    recursion: stats.lostRecursion,
    declared: records.declaredLost,
    whole,
    partly: pids.size - whole,
    missed: count - pids.size,
    bare,
    unenriched: stats.unenriched,
    /** Others on the machine start processes too, and a queue sees them all. */
    seen: records.actions.exit,
    cpuMs: (user + system) / 1000,
    ...costs,
  }
}

async function result(backend, count) {
  if (backend === 'none') return (await storm(count)).ended
  try {
    return await watch(backend, count)
  } catch (error) {
    if (!(error instanceof QuarkError)) throw error
    return { refusal: error.message }
  }
}

const [backend, count] = process.argv.slice(2)
process.stdout.write(JSON.stringify(await result(backend, Number(count))))
