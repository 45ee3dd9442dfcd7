// Runs the benches, prints their tables, and after a whole run writes them to bench/results.md.
//   node bench/run.mjs [--quick] [--audit] [name…]
import { writeFileSync } from 'node:fs'
import { arch, cpus, release, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { agentCpu } from './agent-cpu.mjs'
import { backends } from './backends.mjs'
import { bpfTime } from './bpf-time.mjs'
import { cycles } from './cycles.mjs'
import { files } from './files.mjs'
import { latency } from './latency.mjs'
import { pipeline } from './pipeline.mjs'
import { markdown } from './report.mjs'
import { signals } from './signals.mjs'
import { slowdown } from './slowdown.mjs'
import { sockets } from './sockets.mjs'
import { measureSpeed } from './speed.mjs'
import { startUp } from './start-up.mjs'

const BENCHES = {
  'bpf-time': bpfTime,
  slowdown,
  sockets,
  files,
  'agent-cpu': agentCpu,
  'start-up': startUp,
  latency,
  pipeline,
  backends,
  signals,
  cycles,
}
const RESULTS = new URL('results.md', import.meta.url)

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    /** Also the audit backend, which changes the audit rules of the machine while it is open. */
    audit: { type: 'boolean', default: false },
  },
})
const unknown = positionals.filter((name) => BENCHES[name] === undefined)
if (unknown.length > 0) fail(`No bench "${unknown[0]}": there are ${Object.keys(BENCHES).join(', ')}`)
if (process.getuid?.() !== 0) fail('The benches watch the whole machine: run them as root')

const names = positionals.length > 0 ? positionals : Object.keys(BENCHES)
const results = []
const speeds = [measureSpeed()]
for (const name of names) {
  const startedMs = performance.now()
  console.error(`${name} …`)
  const result = await BENCHES[name](values)
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  console.error(`${name}: ${seconds} s`)
  results.push({ name, ...result })
  speeds.push(measureSpeed())
}
const text = markdown(machine(), results)
console.log(text)
if (positionals.length === 0) writeFileSync(RESULTS, text)

function machine() {
  const [cpu] = cpus()
  return [
    ['date', new Date().toISOString().slice(0, 10)],
    ['CPUs', `${cpus().length} × ${cpu?.model ?? 'unknown'}`],
    ['memory', `${(totalmem() / 2 ** 30).toFixed(1)} GiB`],
    ['kernel', `${release()} ${arch()}`],
    ['Node', process.version],
    [
      'multiplication and addition',
      range(
        speeds.map(({ stepNs }) => stepNs),
        2,
      ),
    ],
    [
      'load from memory',
      range(
        speeds.map(({ loadNs }) => loadNs),
        0,
      ),
    ],
    ['run', values.quick ? 'quick: less of everything, not for comparison' : 'full'],
  ]
}

function range(valuesNs, digits) {
  return `${Math.min(...valuesNs).toFixed(digits)} to ${Math.max(...valuesNs).toFixed(digits)} ns, from bench to bench`
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
