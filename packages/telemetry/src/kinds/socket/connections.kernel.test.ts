import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { kernelAtLeast } from 'quark-ebpf'
import { Quark } from '../../quark.js'
import type { QuarkStats } from '../../pipeline/stats.js'
import { type QuarkEvent } from '../index.js'
import { bytesFor, type Load } from './testing/connection-load.js'

/** Connections at full speed; `npm run connections` makes it 200,000, and the others last a minute. */
const COUNT = Number(process.env['QUARK_CONNECTIONS'] ?? 4000)
const PER_MS = 2
const PACED = Number(process.env['QUARK_CONNECTIONS_PACED'] ?? 2000)
const PROGRAM = fileURLToPath(new URL('testing/connection-load.js', import.meta.url))
const LIMIT = { timeout: 900_000, skip: !kernelAtLeast('5.8') }

/** What was seen of the connections of a load; memory does not grow with them. */
class Tally {
  /** By network namespace: which one is that of the load is known at its end. */
  readonly byNs = new Map<number, Seen>()

  add(event: QuarkEvent): void {
    if (event.kind !== 'connection' && event.kind !== 'connectionFailed') return
    const { netNs = 0, pid = 0 } = event
    const seen = this.byNs.get(netNs) ?? nothing()
    this.byNs.set(netNs, seen)
    if (event.kind === 'connectionFailed') {
      seen.failed += 1
      return
    }
    const { actions, direction, localPort = 0, remotePort = 0, sentBytes, receivedBytes } = event
    if (actions.includes('connect')) seen.connects += 1
    if (actions.includes('accept')) seen.accepts += 1
    const key = `${direction} ${pid}`
    seen.byPid.set(key, (seen.byPid.get(key) ?? 0) + 1)
    if (!actions.includes('close') || direction === undefined) return
    seen.closes += 1
    const isClient = direction === 'outbound'
    const bytes = isClient ? [bytesFor(localPort), 0] : [0, bytesFor(remotePort)]
    if (sentBytes === bytes[0] && receivedBytes === bytes[1]) return
    seen.wrong.push(
      `${actions.join('+')} ${direction}: ${sentBytes}/${receivedBytes}, not ${bytes.join('/')}`,
    )
  }
}

interface Seen {
  connects: number
  accepts: number
  failed: number
  closes: number
  /** Ends whose bytes are wrong. */
  readonly wrong: string[]
  /** Events by the direction and the process of their connection. */
  readonly byPid: Map<string, number>
}

function nothing(): Seen {
  return { connects: 0, accepts: 0, failed: 0, closes: 0, wrong: [], byPid: new Map() }
}

async function runLoad(count: number, perMs: number): Promise<{ load: Load; seen: Seen; stats: QuarkStats }> {
  const quark = await Quark.open({ sockets: true, backends: ['ebpf'], ringSizeBytes: 2 ** 26 })
  const child = spawn(process.execPath, [PROGRAM, String(count), String(perMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const ended = once(child, 'close')
  const tally = new Tally()
  // Its output ends with it.
  while (child.stdout.readable) {
    await quark.wait(20)
    for (const event of quark.poll()) tally.add(event)
  }
  const [code] = (await ended) as [number | null]
  assert.equal(code, 0, 'the load failed')
  for (const event of quark.finish()) tally.add(event)
  await quark.close()
  const load = JSON.parse(output) as Load
  const seen = tally.byNs.get(load.netNs)
  assert.ok(seen !== undefined, 'nothing was seen')
  return { load, seen, stats: quark.stats() }
}

function check(t: TestContext, { load, seen, stats }: Awaited<ReturnType<typeof runLoad>>): void {
  const { connects, accepts, failed, closes, wrong, byPid } = seen
  const { lostRecursion, lostRingFull, lostUnseen } = stats
  const { made, seconds, activeOpens, passiveOpens, interruptedInit = 0 } = load
  // Records of what others do on this machine are no connections. A run that was skipped may be one that records nothing: of
  // some ten runs of each connection one records that it was opened.
  const lost = (lostRingFull['connect'] ?? 0) + (lostRingFull['connectFailed'] ?? 0) + lostUnseen
  t.diagnostic(
    `${made} connections in ${seconds.toFixed(1)} s: ActiveOpens ${activeOpens}, PassiveOpens ${passiveOpens}; ` +
      `seen: ${connects} opened, ${accepts} accepted, ${failed} failed, ${closes} ends; ` +
      `not seen: ${activeOpens - connects - failed}, of which ${interruptedInit} handshakes ended in a softirq above ` +
      `pid 1, and ${lost} are declared lost; ${lostRecursion} runs of programs were skipped, of all records ` +
      `${JSON.stringify(lostRingFull)} found no room`,
  )
  const missing = activeOpens - connects - failed
  assert.ok(missing >= 0 && accepts <= passiveOpens, 'more than there were')
  assert.ok(missing <= lost + lostRecursion + interruptedInit, `${missing} are missing`)
  // A kernel that runs programs there hides nothing; one that does not hides all of them.
  if (lost + lostRecursion === 0)
    assert.ok(missing === 0 || missing === interruptedInit, `${missing} are missing`)
  assert.deepEqual(wrong, [])
  const known = new Set([`outbound ${load.clientPid}`, `inbound ${load.serverPid}`])
  const others = [...byPid].filter(
    ([key]) => !known.has(key) && !key.endsWith(' 0') && !key.startsWith('undefined'),
  )
  assert.deepEqual(others, [], 'of other processes')
}

test(
  'every connection is seen or declared as lost, each with its process and bytes: at full speed',
  LIMIT,
  async (t) => {
    check(t, await runLoad(COUNT, 0))
  },
)

test('the same, two in each millisecond', LIMIT, async (t) => {
  check(t, await runLoad(PACED, PER_MS))
})
