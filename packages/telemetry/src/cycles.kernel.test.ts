import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { CyclesLine, CyclesOrder } from './testing/cycles.js'

const CYCLES = fileURLToPath(new URL('testing/cycles.js', import.meta.url))
const LIMIT_MS = 540_000
const MIB = 2 ** 20
/** What koffi keeps mapped of each worker that ended: its stack, a page that guards it, and its heap. */
const KOFFI_MAPPINGS = 3

/** A young generation of fixed size: when it grows by itself, it does so by 64 mappings at once. */
const FLAGS = ['--expose-gc', '--min-semi-space-size=1', '--max-semi-space-size=1']

async function cycle(order: CyclesOrder): Promise<CyclesLine[]> {
  const child = spawn(process.execPath, [...FLAGS, CYCLES, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: LIMIT_MS - 20_000,
    killSignal: 'SIGKILL',
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  assert.deepEqual(await once(child, 'close'), [0, null])
  return said
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as CyclesLine)
}

/** How much more the second half of the lines holds than the first: the least of each, as memory goes up and down. */
function growth(lines: readonly CyclesLine[], member: keyof CyclesLine): number {
  const middle = lines.length >> 1
  const least = (some: readonly CyclesLine[]): number => Math.min(...some.map((line) => line[member]))
  return least(lines.slice(middle)) - least(lines.slice(0, middle))
}

function assertFlat(t: TestContext, lines: readonly CyclesLine[], mappings: number): void {
  const members = ['descriptors', 'namedMappings', 'mappings', 'heapBytes', 'rssBytes'] as const
  const grown = Object.fromEntries(members.map((member) => [member, growth(lines, member)]))
  t.diagnostic(JSON.stringify(grown))
  assert.equal(grown['descriptors'], 0)
  assert.equal(grown['namedMappings'], 0)
  assert.ok(grown['mappings']! <= mappings, `${grown['mappings']} mappings more`)
  assert.ok(grown['heapBytes']! < 2 * MIB, `${grown['heapBytes']} bytes of heap more`)
  // The C library and the engine keep some megabytes, now more and now less.
  assert.ok(grown['rssBytes']! < 12 * MIB, `${grown['rssBytes']} bytes more`)
}

for (const backend of ['ebpf', 'procConnector'] as const) {
  test(
    `${backend}: opening and closing a queue over and over takes no memory`,
    { timeout: LIMIT_MS },
    async (t) => {
      const lines = await cycle({ backend, cycles: 120, every: 10 })
      // The engine warms up at first.
      assertFlat(t, lines.slice(4), 20)
    },
  )
}

test(
  'workers that are terminated with an open queue leave what koffi leaves, and nothing else',
  { timeout: LIMIT_MS },
  async (t) => {
    const lines = await cycle({ backend: 'ebpf', cycles: 30, every: 5, inWorkers: true })
    const workers = lines.at(-1)!.cycle / 2
    assertFlat(t, lines, workers * KOFFI_MAPPINGS + 10)
  },
)
