// What context costs the reader: CPU time of quark-mon with it and without it. Both watch the same processes at the same time, so
// that whatever else the machine does hits both alike. Takes a minute for each row; writes bench/context.md.
//   node bench/context.mjs [--quick] [--parts]
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { cpus, loadavg, release } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { findCgroupHierarchy } from '../packages/telemetry/dist/process/procfs/cgroup-mounts.js'
import { lostOf, startAgent } from './agent.mjs'
import { cpuMsOf, median, percent, quantile, runParallel } from './measure.mjs'
import { makeDirectory, spawnProgram, writeProgram, writeTrue } from './programs.mjs'

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, parts: { type: 'boolean', default: false } },
})
const COUNT = values.quick ? 2000 : 5000
const WARM = values.quick ? 1 : 3
const STORMS = values.quick ? 3 : 8
/** Longer than records are held. */
const DRAIN_MS = 1500
const AIM = 0.25
const ID = '3f2a9c0e7d41b86510c2f7aa9e5d3b7c61f04e2a8d9b7350e1c6f4a2d8b90717'
/** As a compiler has them, and with what is looked at more closely. */
const ORDINARY = ['-O2', '-Wall', '-Iinclude', '-c', 'src/main.c', '-o', 'src/main.o']
const SUSPECT = [
  '--verbose',
  '--output=/tmp/result',
  '-j4',
  'https://example.org/x?y=1',
  'src/main.c',
  'token',
]

const directory = makeDirectory()
const socket = join(directory, 'docker.sock')
const server = createServer((request, response) => {
  const body =
    request.url === '/containers/json'
      ? [{ Id: ID }]
      : {
          Id: ID,
          Name: '/web',
          Config: { Image: 'registry.example.org/team/web:1.2', Labels: { tier: 'front' } },
        }
  if (request.url.startsWith('/events')) response.writeHead(200).flushHeaders()
  else response.end(JSON.stringify(body))
})
await new Promise((resolve) => server.listen(socket, resolve))

const hierarchy = findCgroupHierarchy()
const parent = join(hierarchy.mountPoint, 'docker')
const cgroup = join(parent, ID)
mkdirSync(cgroup, { recursive: true })

const truth = writeTrue(directory)
/** A program that runs so many processes with these arguments in the container. */
function stormOf(name, args) {
  const storm = writeProgram(directory, name, spawnProgram({ count: COUNT, argv: [truth, ...args] }))
  const path = join(directory, `${name}-in-container`)
  writeFileSync(path, `#!/bin/sh\necho $$ > ${cgroup}/cgroup.procs\nexec ${storm}\n`, { mode: 0o755 })
  return path
}
const ordinary = stormOf('ordinary', ORDINARY)
const suspect = stormOf('suspect', SUSPECT)

const CONTAINERS = ['--containers', `--container-socket=${socket}`, '--container-users']
const OFF = ['--ecs', '--no-redact']
const ROWS = [
  ...(values.parts
    ? [
        { name: 'redaction', args: ['--ecs'] },
        {
          name: 'redaction of arguments with a URL and a word that secrets have',
          args: ['--ecs'],
          storm: suspect,
        },
        { name: 'executables', args: [...OFF, '--executables'] },
        { name: 'containers and their users', args: [...OFF, ...CONTAINERS] },
      ]
    : []),
  { name: 'all of it', args: ['--ecs', '--executables', ...CONTAINERS] },
]

/** CPU ms per 1,000 processes of both, by storm. */
async function measured(args, storm) {
  const agents = [await startAgent(OFF), await startAgent(args)]
  const samples = []
  let lost
  try {
    for (let i = 0; i < WARM + STORMS; i++) {
      const before = agents.map(({ pid }) => cpuMsOf(pid))
      await runParallel(storm, 1)
      await sleep(DRAIN_MS)
      if (i >= WARM) samples.push(agents.map(({ pid }, n) => ((cpuMsOf(pid) - before[n]) / COUNT) * 1000))
    }
  } finally {
    const errors = []
    for (const agent of agents) errors.push(await agent.stop())
    lost = errors.map(lostOf)
  }
  return { samples, lost }
}

const rows = []
let isReached = true
for (const { name, args, storm = ordinary } of ROWS) {
  const { samples, lost } = await measured(args, storm)
  const ratios = samples.map(([off, on]) => on / off - 1)
  if (name === 'all of it') isReached = median(ratios) <= AIM
  rows.push([
    name,
    median(samples.map(([off]) => off)).toFixed(1),
    median(samples.map(([, on]) => on)).toFixed(1),
    percent(median(ratios)),
    `${percent(quantile(ratios, 0.25))} … ${percent(quantile(ratios, 0.75))}`,
    lost.join(', '),
  ])
}
const line = (cells) => `| ${cells.join(' | ')} |`
const columns = ['', 'without', 'with', 'more', 'quartiles', 'lost']
const [date] = new Date().toISOString().split('T')
const { stdout } = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' })
const text = `# What context costs

Written by \`node bench/context.mjs${values.quick ? ' --quick' : ''}${values.parts ? ' --parts' : ''}\` on ${date}, at ${stdout.trim()}. Linux ${release().replace(/-.*/, '')}, ${cpus().length} CPUs, Node ${process.version}, load of the machine ${loadavg()[0].toFixed(0)}.

CPU ms of \`quark-mon --ecs\` per 1,000 processes (fork, exec, exit) of a container, with the arguments of a compiler: without redaction,
executables and details of containers, and with them. Both watch at the same time; medians and quartiles of ${STORMS} storms of ${COUNT}
after ${WARM} others. The processes that read files are not counted. Aim: at most +${AIM * 100} %: ${isReached ? 'reached' : 'NOT reached'}.

${[line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n')}
`
server.closeAllConnections()
server.close()
for (const path of [cgroup, parent]) {
  try {
    rmdirSync(path)
  } catch {
    // A runtime of this machine may use it.
  }
}
rmSync(socket, { force: true })
writeFileSync(new URL('context.md', import.meta.url), text)
console.log(text)
