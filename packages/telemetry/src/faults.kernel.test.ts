import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { BackendName } from './options/declare.js'
import type { WalkLine, WalkOrder } from './testing/fault-walk.js'

/** Every call, instead of some of each kind: `npm run test:faults`. It takes many minutes. */
const isFull = process.env['QUARK_FAULTS'] === 'all'
const LIMIT_MS = isFull ? 3_600_000 : 540_000

const WALK = fileURLToPath(new URL('testing/fault-walk.js', import.meta.url))

const BACKENDS: Readonly<Record<BackendName, string | false>> = {
  ebpf: false,
  procConnector: false,
  kprobe: existsSync('/sys/kernel/tracing/kprobe_events') ? false : 'this kernel offers no kprobe events',
  audit: process.env['KERNEL_TEST_FILE'] === undefined ? 'it changes the machine: only in guests' : false,
}

/** The lines of a walk, which must not hang or crash. */
async function walk(order: WalkOrder): Promise<WalkLine[]> {
  const child = spawn(process.execPath, [WALK, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: LIMIT_MS - 20_000,
    killSignal: 'SIGKILL',
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  const lines = said
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as WalkLine)
  assert.deepEqual([code, signal], [0, null], `it ended after ${JSON.stringify(lines.at(-1))}`)
  return lines
}

function named({ call }: WalkLine): string {
  return call === undefined ? 'a good queue' : `${call.kind} ${call.nth} of ${call.phase}`
}

/** What is wrong with what came of a queue. */
function complaintsAbout(line: WalkLine): string[] {
  const { call, code, message, missing, lost, isWhole, left } = line
  const complaints = left.map((what) => `left ${what}`)
  if (message !== undefined) {
    if (code?.startsWith('ERR_') !== true)
      complaints.push(`an error without a code of ours: ${code}, ${message}`)
  } else if (!isWhole && lost === 0 && missing.length === 0 && call?.kind.endsWith('of a process') !== true) {
    complaints.push('a process is missing, and nothing was said')
  }
  return complaints.map((complaint) => `${named(line)}: ${complaint}`)
}

/** What is wrong with a queue in which nothing may be seen of a fault. */
function complaintsAboutGood(line: WalkLine): string[] {
  const { message, missing } = line
  const complaints = missing.map((fact) => `lacks ${fact}`)
  if (message !== undefined) complaints.push(message)
  return [...complaintsAbout(line), ...complaints.map((complaint) => `${named(line)}: ${complaint}`)]
}

for (const [backend, skip] of Object.entries(BACKENDS) as [BackendName, string | false][]) {
  test(
    `${backend}: a call that fails is an error or a declared gap, and leaves nothing`,
    { skip, timeout: LIMIT_MS },
    async (t) => {
      const lines = await walk({ backend, part: 'usual', ...(isFull ? {} : { most: 2 }) })
      assert.deepEqual(lines.flatMap(complaintsAbout), [])
      assert.deepEqual(complaintsAboutGood(lines.at(-1) as WalkLine), [])
      const reached = lines.filter(({ isReached }) => isReached)
      t.diagnostic(
        `${reached.length} calls failed, ${reached.filter(({ code }) => code !== undefined).length} with an error`,
      )
      // How often the queue reads while it runs depends on what else runs on the machine.
      const kinds = (some: readonly WalkLine[]): string[] =>
        [
          ...new Set(
            some.flatMap(({ call }) =>
              call === undefined || call.phase === 'run' ? [] : [`${call.phase} ${call.kind}`],
            ),
          ),
        ].sort()
      assert.deepEqual(kinds(reached), kinds(lines))
    },
  )

  test(`${backend}: a call that a signal interrupts is made again`, { skip, timeout: LIMIT_MS }, async () => {
    const lines = await walk({ backend, part: 'transient', ...(isFull ? {} : { most: 1 }) })
    assert.ok(lines.some(({ isReached }) => isReached))
    assert.deepEqual(lines.flatMap(complaintsAboutGood), [])
  })
}

test(
  'what failed for want of room when features were found out works in the next queue',
  { timeout: LIMIT_MS },
  async () => {
    const backend = 'ebpf'
    const [good] = await walk({ backend, part: 'count' })
    const { calls = [], missing } = good as WalkLine
    // The first programs and maps are those that find out features.
    const failing = calls.filter(
      ({ phase, kind, nth }) => phase === 'open' && kind.startsWith('bpf(') && (isFull || nth < 2),
    )
    assert.ok(failing.length > 0)
    for (const call of failing) {
      const lines = await walk({ backend, part: 'first', call, missing })
      assert.deepEqual(lines.slice(0, -1).flatMap(complaintsAbout), [])
      assert.deepEqual(complaintsAboutGood(lines.at(-1) as WalkLine), [])
    }
  },
)

const INDEX = JSON.stringify(new URL('index.js', import.meta.url).href)

test(
  'without a free descriptor a queue is refused, and says what to raise',
  { timeout: LIMIT_MS },
  async () => {
    const script = `import { closeSync, openSync, readdirSync } from 'node:fs'
    import { Quark } from ${INDEX}
    const held = []
    try {
      for (;;) held.push(openSync('/dev/null', 'r'))
    } catch {}
    for (const free of [1, 4, 10]) {
      for (const fd of held.splice(0, free)) closeSync(fd)
      const { code, message } = await Quark.open({ backends: ['ebpf'] }).then(() => ({}), (error) => error)
      // As many are free as before.
      const again = []
      try {
        for (;;) again.push(openSync('/dev/null', 'r'))
      } catch {}
      console.log(JSON.stringify({ code, message, left: free - again.length }))
      held.push(...again)
    }`
    const command = 'ulimit -n 500; exec "$0" --input-type=module -e "$1"'
    const child = spawn('sh', ['-c', command, process.execPath, script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    assert.deepEqual(await once(child, 'close'), [0, null])
    const lines = said.trim().split('\n')
    assert.equal(lines.length, 3)
    for (const line of lines) {
      const { code, message, left } = JSON.parse(line) as { code?: string; message?: string; left: number }
      assert.equal(code, 'ERR_QUARK_BACKEND')
      assert.match(message ?? '', /EMFILE.*raise the limit with ulimit -n/)
      // Node keeps some of its own.
      assert.ok(left <= 1, `${left} descriptors left open`)
    }
  },
)
