import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'

const NOBODY = 65_534
const MOST_MB = 256
/** Processes that live and have this many empty arguments, of which a list in memory takes 8 bytes each. */
const PROCESSES = 640
const ARGUMENTS = 120_000
/** At least so many must have been seen, for the test to mean something; the machine may lose others. */
const LEAST_SEEN = 400

const command = fileURLToPath(new URL('../bin/quark-mon.cjs', import.meta.url))
const library = import.meta.resolve('quark-telemetry')

/** A consumer that keeps up, and reads all arguments. At the end of its input it writes what it saw. */
const consumer = `
import { Quark } from ${JSON.stringify(library)}
const ending = new AbortController()
process.stdin.on('end', () => ending.abort()).resume()
const quark = await Quark.open({ signal: ending.signal })
process.stderr.write('open\\n')
let seen = 0
for await (const event of quark) {
  if (event.kind === 'process' && (event.process.argv?.length ?? 0) >= ${ARGUMENTS}) seen += 1
}
const { tableBytes, cutProcesses, evicted, lost } = quark.stats()
await quark.close()
console.log(JSON.stringify({ seen, tableBytes, cutProcesses, evicted, lost }))
`

/** Runs a shell of an ordinary user, in a process group of its own. */
function asNobody(script: string, args: readonly string[]): ChildProcess {
  const stdio = ['pipe', 'ignore', 'ignore'] as const
  const options = { uid: NOBODY, gid: NOBODY, cwd: '/', detached: true, stdio: [...stdio] }
  return spawn('/bin/sh', ['-c', script, 'sh', ...args], options)
}

/** Processes with long lists of arguments that live until their input ends, as it does when this test is killed. */
const living = `
exec 3<&0
n=0
while [ $n -lt ${PROCESSES} ]; do /bin/sh -c 'read line' "$@" <&3 & n=$((n+1)); sleep 0.02; done
wait
`

/** A storm of those that do not. */
const storm = 'while :; do /bin/true "$@"; done'

/** What an ordinary user does, for some seconds. */
async function attack(): Promise<void> {
  const shells = [asNobody(living, new Array<string>(ARGUMENTS).fill(''))]
  try {
    const { pid } = shells[0] as ChildProcess
    for (let i = 0; i < 3000 && childrenOf(pid as number) < PROCESSES; i++) await sleep(50)
    const long = new Array<string>(1000).fill('x'.repeat(120))
    shells.push(asNobody(storm, long), asNobody(storm, long))
    await sleep(4000)
  } finally {
    for (const { pid } of shells) process.kill(-(pid as number), 'SIGKILL')
  }
}

function childrenOf(pid: number): number {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').length - 1
}

/** Most memory that a process had in RAM so far. */
function peakMb(pid: number): number {
  const [, kb] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? []
  return Number(kb) / 1024
}

async function attackOn(args: readonly string[], opened: RegExp): Promise<{ mb: number; output: string }> {
  const isCommand = args[0] === command
  const reader = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  let notes = ''
  let output = ''
  reader.stderr?.setEncoding('utf8').on('data', (text: string) => (notes += text))
  reader.stdout?.setEncoding('utf8').on('data', (text: string) => {
    if (!isCommand) output += text
  })
  try {
    for (let i = 0; i < 600 && !opened.test(notes); i++) await sleep(50)
    assert.match(notes, opened)
    await attack()
    const mb = peakMb(reader.pid as number)
    const ended = new Promise((resolve) => reader.once('exit', resolve))
    reader.stdin?.end()
    if (isCommand) reader.kill('SIGTERM')
    await ended
    return { mb, output }
  } finally {
    reader.kill('SIGKILL')
  }
}

test(
  'a consumer that keeps up stays small, whatever an ordinary user does',
  { timeout: 240_000 },
  async (t) => {
    const { mb, output } = await attackOn(['--input-type=module', '-e', consumer], /^open$/m)
    t.diagnostic(`${mb.toFixed(0)} MB; ${output}`)
    const { seen, cutProcesses, tableBytes } = JSON.parse(output) as Record<string, number>
    assert.ok((seen as number) >= LEAST_SEEN, `${seen} of ${PROCESSES} processes were seen`)
    assert.ok((cutProcesses as number) > 0)
    assert.ok((tableBytes as number) <= 32 << 20)
    assert.ok(mb < MOST_MB, `${mb} MB`)
  },
)

for (const format of ['dump', 'json']) {
  test(
    `quark-mon stays small, whatever an ordinary user does: ${format}`,
    { timeout: 240_000 },
    async (t) => {
      const { mb } = await attackOn([command, '-v', `--${format}`], /backend /)
      t.diagnostic(`${mb.toFixed(0)} MB`)
      assert.ok(mb < MOST_MB, `${mb} MB`)
    },
  )
}
