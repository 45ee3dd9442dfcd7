// What an event of /bin/true (fork, exec and exit) costs in each format: bytes and CPU time, of 0.1.0 and of this checkout,
// in turns within one run.
//   node bench/formats.mjs [--rounds=24] [--events=1000] [--quick]     as root
// Each build records its own storm, so that an event has what that build knows; what is measured are replays. A whole run
// is written to bench/formats.md.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { cpus, loadavg, release } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { alone } from './alone.mjs'
import { checkout, commitOf } from './checkout.mjs'
import { median, rotated, run } from './measure.mjs'
import { makeDirectory, spawnProgram, writeProgram } from './programs.mjs'
import { table } from './report.mjs'

const BEFORE = '89ba073'
/** Of the library. */
const FOLDERS = { before: 'quark', after: 'telemetry' }
const TRUE = '/bin/true'
/** The snapshot is taken. */
const SETTLE_MS = 1500
/** Longer than records are held. */
const DRAIN_MS = 1500
const START_LIMIT_MS = 30_000
/** Aims: a lean document, and what it costs beside the whole one of 0.1.0. */
const AIM_BYTES = 1638
const AIM_RATIO = 0.5

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    events: { type: 'string', default: '1000' },
    quick: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds ?? (values.quick ? 6 : 24))
const events = Number(values.events)

/** Names of formats, and how each build makes a writer of one; without it the build does not have the format. */
const FORMATS = {
  text: { after: ({ createText }, names) => createText(names) },
  dump: { before: ({ textOf }) => textOf, after: ({ createDump }) => createDump() },
  JSON: { before: ({ jsonOf }) => jsonOf, after: ({ createJson }, names) => createJson({}, names) },
  'ECS, lean': { after: ({ createEcs }, names) => createEcs(names) },
  'ECS, full': {
    before: ({ createEcs }, names) => createEcs(names),
    after: ({ createEcs }, names) => createEcs(names, { form: 'full' }),
  },
}

async function load(name, path, directory) {
  const entry = join(path, 'packages', FOLDERS[name], 'dist/index.js')
  const library = await import(pathToFileURL(entry).href)
  const recording = join(directory, `${name}.quark`)
  await record(path, recording, directory)
  const quark = await library.Quark.replay(recording)
  const names = {
    host: quark.host,
    userName: (uid) => quark.userName(uid),
    groupName: (gid) => quark.groupName(gid),
    // 0.1.0 looks up parents while it writes.
    lookup: (pid) => names.quark.lookup(pid),
    quark,
  }
  await quark.close()
  const writers = Object.entries(FORMATS).flatMap(([format, makers]) =>
    makers[name] === undefined ? [] : [{ format, write: makers[name](library, names), times: [], bytes: 0 }],
  )
  return { name, library, recording, names, writers }
}

/** A storm as a build sees it. */
async function record(path, recording, directory) {
  const mon = join(path, 'packages/mon/bin/quark-mon.cjs')
  const args = [mon, '--verbose', '--ecs', '-o', '/dev/null', '--record', recording]
  const agent = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(agent, 'close')
  let errors = ''
  const watching = new Promise((resolve) => {
    agent.stderr.setEncoding('utf8').on('data', (text) => {
      errors += text
      resolve()
    })
  })
  await Promise.race([watching, ended, sleep(START_LIMIT_MS, undefined, { ref: false })])
  if (agent.exitCode !== null) throw new Error(`Cannot record: ${errors}`)
  await sleep(SETTLE_MS)
  // With pauses: nothing is to be lost.
  const program = spawnProgram({ count: events, argv: [TRUE], pauseMs: 1 })
  run(writeProgram(directory, 'storm', program))
  await sleep(DRAIN_MS)
  agent.kill('SIGINT')
  await ended
}

/** Events of the storm that nobody has looked at yet, but for what says that they are. */
async function replay({ library, recording }) {
  const quark = await library.Quark.replay(recording)
  const found = []
  for await (const batch of quark.batches()) {
    for (const event of batch) {
      if (event.kind === 'process' && event.actions.length === 3 && isTrue(event)) found.push(event)
    }
  }
  return { quark, found }
}

function isTrue({ actions, process: { comm } }) {
  return comm === 'true' && ['fork', 'exec', 'exit'].every((action) => actions.includes(action))
}

async function round(build) {
  for (const writer of build.writers) {
    const { quark, found } = await replay(build)
    if (found.length < events / 2) throw new Error(`Cannot measure: ${found.length} events of ${events}`)
    build.names.quark = quark
    const { write } = writer
    let bytes = 0
    const before = process.cpuUsage()
    // As a stream does: what was joined of pieces is made one string.
    for (const event of found) bytes += Buffer.byteLength(write(event)) + 1
    // CPU time: other programs of the machine do not count.
    const { user, system } = process.cpuUsage(before)
    writer.times.push((user + system) / found.length)
    writer.bytes = bytes / found.length
    await quark.close()
  }
}

await alone()
const directory = makeDirectory()
const own = fileURLToPath(new URL('..', import.meta.url))
const builds = [await load('before', checkout(BEFORE), directory), await load('after', own, directory)]
for (let i = 0; i < rounds; i++) {
  for (const build of rotated(builds, i)) await round(build)
}

const writerOf = (build, format) => build.writers.find((writer) => writer.format === format)
/** The first half is left out: code is still being compiled. */
const us = ({ times }) => times.slice(times.length >> 1)
const [before, after] = builds
const whole = writerOf(before, 'ECS, full')
const lean = writerOf(after, 'ECS, lean')
const cells = (writer) =>
  writer === undefined ? ['', ''] : [writer.bytes.toFixed(0), median(us(writer)).toFixed(2)]
const rows = Object.keys(FORMATS).map((format) => {
  const a = writerOf(before, format)
  const b = writerOf(after, format)
  const ratio = a === undefined ? '' : median(us(a).map((time, i) => us(b)[i] / time)).toFixed(2)
  return [format, ...cells(a), ...cells(b), ratio]
})
const ratio = median(us(whole).map((time, i) => us(lean)[i] / time))
const reached = (isReached) => (isReached ? 'yes' : '**no**')
const [loaded] = loadavg()
const text = `# What an event costs in each format

Written by \`node bench/formats.mjs\` on ${new Date().toISOString().slice(0, 10)}: commit ${commitOf(BEFORE)} (0.1.0) before, ${commitOf()} after, in turns within one
run. Bytes and CPU time of one event of \`${TRUE}\`, which is its fork, exec and exit; ${events} of them, medians of ${rounds >> 1} rounds.
Each build has recorded its own storm: an event has what that build knows. Linux ${release()}, ${cpus().length} CPUs, Node ${process.version}; the
load of the machine was ${loaded.toFixed(1)} at the end.

${table(['', 'bytes before', 'µs before', 'bytes after', 'µs after', 'time, ratio'], rows)}

${table(
  ['aim', 'measured', 'reached'],
  [
    [`lean ECS: ≤ ${AIM_BYTES} bytes`, `${lean.bytes.toFixed(0)} bytes`, reached(lean.bytes <= AIM_BYTES)],
    [
      `lean ECS: at most ${AIM_RATIO} of the time of the full form of 0.1.0`,
      ratio.toFixed(2),
      reached(ratio <= AIM_RATIO),
    ],
  ],
)}
`
console.log(text)
if (!values.quick && values.rounds === undefined) writeFileSync(new URL('formats.md', import.meta.url), text)
