/** What watching sockets and names costs those who use them: connections, datagrams, queries, and processes beside them. */
import { startAgent } from './agent.mjs'
import { median, quantile, rotated, run } from './measure.mjs'
import {
  connectProgram,
  datagramProgram,
  makeDirectory,
  spawnProgram,
  writeProgram,
  writeTrue,
} from './programs.mjs'

const AIM_CONNECT = 0.05
const PORT = 7001
const DNS_PORT = 53

/** The kinds are off, on, and on with a filter that nothing passes. */
const OFF = { name: 'quark-mon', args: [] }
const SOCKETS = [
  OFF,
  { name: '--sockets', args: ['--sockets'] },
  { name: '--sockets --port=9', args: ['--sockets', '--port=9'] },
]
const NAMES = [
  OFF,
  { name: '--dns', args: ['--dns'] },
  { name: '--dns --sockets', args: ['--dns', '--sockets'] },
]

/** A query for example.com, and its answer. */
const QUESTION = Buffer.from('076578616d706c6503636f6d0000010001', 'hex')
const QUERY = Buffer.concat([Buffer.from('424201000001000000000000', 'hex'), QUESTION])
const ANSWER = Buffer.concat([
  Buffer.from('424281800001000100000000', 'hex'),
  QUESTION,
  Buffer.from('c00c00010001000000e10004c0000207', 'hex'),
])

/** Each run has addresses of its own: ports of connections that ended stay taken for a while. */
let hosts = 0
function nextHost() {
  hosts += 1
  return [10 + (hosts >> 14), (hosts >> 7) & 127, 1 + (hosts & 127)]
}

/** Samples by agent, one per round: the fastest of several runs, as others can only make a run slower. */
async function measureAll(agents, workload, { rounds, runs }) {
  const samples = new Map(agents.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, args } of rotated(agents, round)) {
      const agent = await startAgent(args)
      try {
        const times = Array.from({ length: runs }, () => run(workload.program()))
        samples.get(name).push({
          wallMs: Math.min(...times.map(({ wallMs }) => wallMs)),
          cpuMs: Math.min(...times.map(({ cpuMs }) => cpuMs)),
        })
      } finally {
        await agent.stop()
      }
    }
  }
  return samples
}

function percent(share) {
  return `${share >= 0 ? '+' : ''}${(share * 100).toFixed(1)} %`
}

/** Against the run of the same round in which the kinds were off. */
function slowdowns(samples, name, unit) {
  return samples.get(name).map((sample, round) => sample[unit] / samples.get(OFF.name)[round][unit] - 1)
}

function spread(values) {
  return [percent(median(values)), `${percent(quantile(values, 0.25))} … ${percent(quantile(values, 0.75))}`]
}

function rowsOf({ title, count }, samples) {
  return [...samples.keys()].map((name) => {
    const each = samples.get(name).map(({ wallMs }) => (wallMs / count) * 1000)
    return [
      title,
      name,
      median(each).toFixed(2),
      ...(name === OFF.name
        ? ['', '', '', '']
        : [...spread(slowdowns(samples, name, 'wallMs')), ...spread(slowdowns(samples, name, 'cpuMs'))]),
    ]
  })
}

export async function sockets({ quick }) {
  const directory = makeDirectory()
  const write = (name, bytes) => writeProgram(directory, `${name}-${hosts}`, bytes)
  const size = quick ? 1 : 4
  const tries = quick ? { rounds: 3, runs: 3 } : { rounds: 7, runs: 5 }
  const connects = {
    title: 'connect, accept, close both',
    count: 3000 * size,
    program: () => write('connect', connectProgram({ count: 3000 * size, host: nextHost(), port: PORT })),
  }
  const datagrams = {
    title: 'UDP: send, receive',
    count: 20_000 * size,
    program: () =>
      write(
        'udp',
        datagramProgram({
          count: 20_000 * size,
          host: nextHost(),
          ports: [PORT, PORT + 1],
          payload: Buffer.alloc(64),
        }),
      ),
  }
  const queries = {
    title: 'DNS: query, answer',
    count: 5000 * size,
    program: () =>
      write(
        'dns',
        datagramProgram({
          count: 5000 * size,
          host: nextHost(),
          ports: [DNS_PORT, PORT + 1],
          payload: QUERY,
          answer: ANSWER,
        }),
      ),
  }
  const storm = write('execs', spawnProgram({ count: 500 * size, argv: [writeTrue(directory), 'argument'] }))
  const execs = { title: 'vfork, exec, exit', count: 500 * size, program: () => storm }
  const results = []
  for (const [agents, workload] of [
    [SOCKETS, connects],
    [SOCKETS, datagrams],
    [NAMES, queries],
    [SOCKETS, execs],
  ]) {
    results.push([workload, await measureAll(agents, workload, tries)])
  }
  const [, connected] = results[0]
  const slower = median(slowdowns(connected, '--sockets', 'wallMs'))
  const cpu = median(slowdowns(connected, '--sockets', 'cpuMs'))
  return {
    tables: [
      {
        title: `Best of ${tries.runs} runs in each of ${tries.rounds} rounds`,
        columns: ['', '', 'µs each', 'wall', 'quartiles', 'CPU', 'quartiles'],
        rows: results.flatMap(([workload, samples]) => rowsOf(workload, samples)),
      },
    ],
    notes: [
      'Each is relative to the run of the same round under quark-mon without these kinds. Output goes to /dev/null.',
      'CPU is that of the workload, without that of quark-mon, which on a machine with two CPUs takes time from it.',
      'The workload makes system calls and nothing else, over loopback; `--port=9` is a filter that nothing passes.',
    ],
    figures: [
      {
        name: 'short connections over loopback with --sockets',
        value: percent(slower),
        aim: 'under +5 %',
        isReached: slower < AIM_CONNECT,
      },
      { name: 'the same, CPU', value: percent(cpu) },
    ],
  }
}
