/**
 * What writing an event costs in each format, in two builds beside each other.
 *   node bench/outputs.mjs <entry of one build> <entry of the other> [recording]
 * An entry is a path to `dist/index.js` of the telemetry package. A recording of many processes of few parents, such as
 * `quark-mon --record` makes of a storm, shows what a busy machine costs; both builds have to be able to read it.
 */
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { median, rotated } from './measure.mjs'

const ROUNDS = 40
/** Per round: a recording may have few events, or very many. */
const EVENTS = 3000

const own = fileURLToPath(new URL('../packages/telemetry/dist/index.js', import.meta.url))
const recorded = '../packages/telemetry/src/recording/testdata/0.1.0.quarkrec'
const [first = own, second = own, recording = fileURLToPath(new URL(recorded, import.meta.url))] =
  process.argv.slice(2)

async function load(entry) {
  const library = await import(pathToFileURL(resolve(entry)).href)
  const asked = { quark: undefined }
  const ecs = library.createEcs({
    userName: (uid) => asked.quark.userName(uid),
    groupName: (gid) => asked.quark.groupName(gid),
    // Of builds before parents came with the event.
    lookup: (pid) => asked.quark.lookup(pid),
  })
  return { library, asked, ecs, times: { dump: [], json: [], ecs: [] } }
}

/** Events that nobody has looked at yet. */
async function replay({ Quark }) {
  const quark = await Quark.replay(recording)
  const events = []
  for await (const batch of quark.batches()) {
    events.push(...batch)
    if (events.length >= EVENTS) break
  }
  return { quark, events }
}

let length = 0

async function round({ library, asked, ecs, times }) {
  for (const format of Object.keys(times)) {
    const replays = []
    for (let events = 0; events < EVENTS;) {
      const one = await replay(library)
      replays.push(one)
      if (one.events.length === 0) throw new Error('Cannot measure: the recording has no events')
      events += one.events.length
    }
    const { jsonOf } = library
    // Of builds before it was called dump.
    const dumpOf = library.dumpOf ?? library.textOf
    let count = 0
    const before = process.cpuUsage()
    for (const { quark, events } of replays) {
      asked.quark = quark
      const write = format === 'ecs' ? ecs : format === 'json' ? jsonOf : dumpOf
      // As a stream does: what was joined of pieces is made one string.
      for (const event of events) length += Buffer.byteLength(write(event))
      count += events.length
    }
    // CPU time: other programs of the machine do not count.
    const { user, system } = process.cpuUsage(before)
    times[format].push(((user + system) * 1000) / count)
    for (const { quark } of replays) await quark.close()
  }
}

const builds = [await load(first), await load(second)]
for (let i = 0; i < ROUNDS; i++) {
  for (const build of rotated(builds, i)) await round(build)
}
for (const format of ['dump', 'json', 'ecs']) {
  // The first half is left out: code is still being compiled.
  const [a, b] = builds.map(({ times }) => times[format].slice(ROUNDS >> 1))
  const ratio = median(a.map((ns, i) => b[i] / ns))
  const us = (values) => (median(values) / 1000).toFixed(2)
  console.log(`${format.padEnd(4)}  ${us(a)} us  ${us(b)} us  second/first ${ratio.toFixed(3)}`)
}
if (length === 0) throw new Error('Cannot measure: nothing was written')
