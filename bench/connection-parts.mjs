// CPU that programs take from a program that connects, accepts and closes over loopback, by what they learn. Nobody reads
// what they record meanwhile, so that it is theirs alone.
//   node bench/connection-parts.mjs [connections per run] [rounds]
import { median, rotated, run } from './measure.mjs'
import { connectProgram, makeDirectory, writeProgram } from './programs.mjs'
import { catalogueOf } from '../packages/telemetry/dist/kinds/catalogue.js'
import { cgroupKind } from '../packages/telemetry/dist/kinds/cgroup/index.js'
import { processKind } from '../packages/telemetry/dist/kinds/process/index.js'
import { socketKind } from '../packages/telemetry/dist/kinds/socket/index.js'
import { openQuark } from '../packages/telemetry/dist/quark.js'

const [count = 3000, rounds = 4] = process.argv.slice(2).map(Number)
const RUNS = 3
const PORT = 7001

/** What is learnt, by names of facts. */
const PARTS = [
  ['nothing', /^$/],
  ['all', /./],
  ['closes', /^socketCloses/],
  ['accepts', /^socketAccepts/],
  ['openings', /^socketConnections/],
  ['openings, accepts, closes', /^socket(Closes|Accepts|Connections)/],
  ['unreachable', /^socketUnreachable/],
  ['UDP', /^udp/],
  ['MPTCP', /^mptcp/],
  ['raw sockets', /^raw/],
]

const directory = makeDirectory()
let runs = 0

/** µs of CPU of each connection; each run has addresses of its own. */
function measure() {
  runs += 1
  const host = [20 + (runs >> 7), process.pid & 127, runs & 127]
  const path = writeProgram(directory, `connect-${runs}`, connectProgram({ count, host, port: PORT }))
  return (run(path).cpuMs / count) * 1000
}

const samples = new Map(PARTS.map(([name]) => [name, []]))
for (let round = 0; round < rounds; round += 1) {
  for (const [name, wanted] of rotated(PARTS, round)) {
    const facts = (surroundings) => socketKind.facts(surroundings).filter((fact) => wanted.test(fact.name))
    const quark = await openQuark(catalogueOf([processKind, cgroupKind, { ...socketKind, facts }]), {
      sockets: true,
      backends: ['ebpf'],
      ringSizeBytes: 2 ** 20,
    })
    for (let i = 0; i < RUNS; i += 1) samples.get(name).push(measure())
    await quark.close()
  }
}
const floor = Math.min(...samples.get('nothing'))
console.log('| what is learnt | least µs of CPU | more than nothing | median |\n| --- | --- | --- | --- |')
for (const [name, values] of samples) {
  const least = Math.min(...values)
  console.log(
    `| ${[name, least.toFixed(1), (least - floor).toFixed(1), median(values).toFixed(1)].join(' | ')} |`,
  )
}
