// What watching names costs: what programs take of a packet, by the kernel's own statistics, and how much slower queries and
// connections are, paired in each round. Writes bench/names.md.
//   node bench/names.mjs [--quick]
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release } from 'node:os'
import { ProbeSession, kernelBtf } from 'quark-ebpf'
import { cgroupSkb, eq, probe, struct } from 'quark-ebpf/probe'
import { dnsProbes } from '../packages/telemetry/dist/kinds/dns/kernel.js'
import { DNS_PORTS } from '../packages/telemetry/dist/kinds/dns/options.js'
import { receivedProbes, sentProbes } from '../packages/telemetry/dist/kinds/tls/kernel.js'
import { startAgent } from './agent.mjs'
import { median, quantile, rotated, run } from './measure.mjs'
import { connectProgram, datagramProgram, makeDirectory, writeProgram } from './programs.mjs'

const isQuick = process.argv.includes('--quick')
const ROUNDS = isQuick ? 2 : 7
const RUNS = 2
const STATS_FILE = '/proc/sys/kernel/bpf_stats_enabled'
const PAGE = new URL('names.md', import.meta.url)
const OTHER_PORT = 7001

const QUESTION = Buffer.from('076578616d706c6503636f6d0000010001', 'hex')
const QUERY = Buffer.concat([Buffer.from('424201000001000000000000', 'hex'), QUESTION])
const ANSWER = Buffer.concat([
  Buffer.from('424281800001000100000000', 'hex'),
  QUESTION,
  Buffer.from('c00c00010001000000e10004c0000207', 'hex'),
])
const directory = makeDirectory()

/** Each run has addresses of its own: ports of connections that ended stay taken for a while. */
let hosts = 0
function nextHost() {
  hosts += 1
  return [11 + (hosts >> 14), (hosts >> 7) & 127, 1 + (hosts & 127)]
}

const WORKLOADS = {
  query: {
    title: 'DNS: a query and its answer',
    count: 1500,
    program: () =>
      writeProgram(
        directory,
        `dns-${hosts}`,
        datagramProgram({
          count: 1500,
          host: nextHost(),
          ports: [53, OTHER_PORT],
          payload: QUERY,
          answer: ANSWER,
        }),
      ),
  },
  tls: {
    title: 'a connection to port 443 that says nothing',
    count: 1000,
    program: () =>
      writeProgram(directory, `tls-${hosts}`, connectProgram({ count: 1000, host: nextHost(), port: 443 })),
  },
  other: {
    title: 'a connection to another port',
    count: 1000,
    program: () =>
      writeProgram(
        directory,
        `tcp-${hosts}`,
        connectProgram({ count: 1000, host: nextHost(), port: OTHER_PORT }),
      ),
  },
}

/** Programs at the same hooks that look at one number: the price of a program, and of the statistics. */
function emptyProbes() {
  return ['egress', 'ingress'].map((way) => {
    const hook = cgroupSkb(way, struct('sk_buff', 'skb'))
    return probe({ name: `bench_${way}`, hook }, ({ len }) => ({ when: eq(len, 0), effects: [] }))
  })
}

/** ns that each program takes of a packet, least of some rounds: others can only make it longer. */
function nsPerPacket(workload) {
  const probes = [
    ...emptyProbes(),
    ...dnsProbes({ ports: DNS_PORTS, maxBytes: 4096 }).cgroup,
    ...sentProbes([443]),
    ...receivedProbes([443]),
  ].filter(({ hook }) => hook.kind === 'cgroupSkb')
  const session = ProbeSession.open({ btf: kernelBtf(), ringSizeBytes: 2 ** 24 }, probes)
  try {
    const programs = probes.map((one) => session.attach(one))
    const least = probes.map(() => Number.POSITIVE_INFINITY)
    let packets = 0
    for (let round = 0; round < ROUNDS * 2; round++) {
      const before = programs.map((program) => program.info())
      run(workload.program())
      session.drain({ record: () => {} })
      for (const [i, program] of programs.entries()) {
        const { runTimeNs, runCount } = program.info()
        const count = runCount - before[i].runCount
        packets = Math.max(packets, count)
        if (count > 0) least[i] = Math.min(least[i], (runTimeNs - before[i].runTimeNs) / count)
      }
    }
    return new Map(probes.map(({ name }, i) => [name, least[i]]))
  } finally {
    session.close()
  }
}

const AGENTS = [
  { name: 'off', args: [] },
  { name: '--dns', args: ['--dns'] },
  { name: '--tls', args: ['--tls'] },
  { name: '--dns --tls', args: ['--dns', '--tls'] },
]

async function slowdowns(workload) {
  const samples = new Map(AGENTS.map(({ name }) => [name, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, args } of rotated(AGENTS, round)) {
      const agent = await startAgent(args)
      try {
        const times = Array.from({ length: RUNS }, () => run(workload.program()))
        samples.get(name).push(Math.min(...times.map(({ cpuMs }) => cpuMs)))
      } finally {
        await agent.stop()
      }
    }
  }
  return samples
}

const percent = (share) => `${share >= 0 ? '+' : ''}${(share * 100).toFixed(1)} %`
const line = (cells) => `| ${cells.join(' | ')} |`
const table = (columns, rows) => [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n')

const wasEnabled = readFileSync(STATS_FILE, 'latin1')
process.once('exit', () => writeFileSync(STATS_FILE, wasEnabled))
writeFileSync(STATS_FILE, '1')
const packets = new Map()
for (const [name, workload] of Object.entries(WORKLOADS)) packets.set(name, nsPerPacket(workload))
writeFileSync(STATS_FILE, wasEnabled)
const rows = []
for (const workload of Object.values(WORKLOADS)) {
  const samples = await slowdowns(workload)
  const off = samples.get('off')
  for (const { name } of AGENTS) {
    const each = samples.get(name)
    const ratios = each.map((ms, round) => ms / off[round] - 1)
    rows.push([
      workload.title,
      name,
      ((median(each) / workload.count) * 1000).toFixed(2),
      ...(name === 'off'
        ? ['', '']
        : [
            percent(median(ratios)),
            `${percent(quantile(ratios, 0.25))} … ${percent(quantile(ratios, 0.75))}`,
          ]),
    ])
  }
}
const programs = [...packets.get('query').keys()]
const [date] = new Date().toISOString().split('T')
const text = `# What watching names costs

Written of \`node bench/names.mjs${isQuick ? ' --quick' : ''}\` on ${date}. Linux ${release().replace(/-.*/, '')}, ${cpus().length} CPUs, Node ${process.version}, load of the machine ${loadavg()[0].toFixed(0)}.

ns that a program takes of a packet, by the statistics of the kernel, least of ${ROUNDS * 2} rounds. The first two do nothing: what is above
them is what the programs do.

${table(
  ['program', ...Object.values(WORKLOADS).map(({ title }) => title)],
  programs.map((name) => [
    `\`${name}\``,
    ...Object.keys(WORKLOADS).map((workload) => {
      const ns = packets.get(workload).get(name)
      return Number.isFinite(ns) ? ns.toFixed(0) : ''
    }),
  ]),
)}

CPU time of the program that asks and connects, against the run of the same round without the kinds: medians and quartiles of
${ROUNDS} rounds, the least of ${RUNS} runs in each.

${table(['', '`quark-mon`', 'µs each', 'more CPU', 'quartiles'], rows)}
`
writeFileSync(PAGE, text)
console.log(text)
