/** What watching sockets and names costs those who use them: connections, datagrams, queries, and processes beside them. */
import { startAgent } from './agent.mjs'
import {
  measureRounds,
  median,
  percent,
  SLOWDOWN_COLUMNS,
  slowdownRows,
  slowdownsAgainst,
} from './measure.mjs'
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
    results.push([workload, await measureRounds(agents, ({ args }) => startAgent(args), workload, tries)])
  }
  const [, connected] = results[0]
  const slower = median(slowdownsAgainst(OFF.name, connected, '--sockets', 'wallMs'))
  const cpu = median(slowdownsAgainst(OFF.name, connected, '--sockets', 'cpuMs'))
  return {
    tables: [
      {
        title: `Best of ${tries.runs} runs in each of ${tries.rounds} rounds`,
        columns: SLOWDOWN_COLUMNS,
        rows: results.flatMap(([workload, samples]) => slowdownRows(workload, samples, OFF.name)),
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
