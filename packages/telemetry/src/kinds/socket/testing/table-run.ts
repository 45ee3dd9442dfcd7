/**
 * A program that makes every situation with each sort of rungs that this kernel has, and writes what was seen as lines of
 * JSON: `node table-run.js`. `npm run sockets` makes a table of them.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { openQuark } from '../../../quark.js'
import { type Absent, type Row, type Verdict, writeRow } from '../../../testing/situation-rows.js'
import type { QuarkEvent } from '../../index.js'
import { catalogueWith, hasRungs, type RungName, RUNGS } from './rungs.js'
import { isOfSocket, eventsOf, sentence, sentencesOf } from './sentences.js'
import { DATAGRAMS, UDP } from './datagrams.js'
import { type DatagramEvent, datagramVerdict, TABLED } from './flows.js'
import { type Facts, hasPython, run, runProgram, SITUATION_NAMES, type Situation } from './situations.js'
import { expectedOf, inOwnNamespace, seenOf, verdictOf } from './verdict.js'

/** Programs that fetch a page, each with its arguments. */
const CLIENTS: Readonly<Record<string, (port: number) => readonly [string, ...string[]]>> = {
  node: (port) => [
    process.execPath,
    '-e',
    `const s = require('net').connect(${port}, '127.0.0.1', () => s.write('hello')); s.resume(); s.once('end', () => s.end())`,
  ],
  curl: (port) => ['curl', '-s', '-o', '/dev/null', `http://127.0.0.1:${port}/`],
  socat: (port) => ['socat', '-u', `TCP:127.0.0.1:${port}`, '/dev/null'],
  'busybox nc': (port) => ['busybox', 'nc', '127.0.0.1', `${port}`],
  'busybox wget': (port) => ['busybox', 'wget', '-q', '-O', '/dev/null', `http://127.0.0.1:${port}/`],
}

const PAGE = 'HTTP/1.0 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nquark\n'
const MAX_TRIES = 4

interface Fetched {
  readonly facts: Facts
  readonly expected: readonly string[]
}

/** What a client fetches of a server in this process; undefined where there is no such client. */
async function fetchBy(name: string): Promise<Fetched | undefined> {
  const server = createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const [command, ...args] = (CLIENTS[name] as (typeof CLIENTS)[string])(port)
  const served = once(server, 'connection').then(async ([socket]) => {
    // One that says nothing first gets the page, too.
    await Promise.race([once(socket, 'data'), new Promise((resolve) => setTimeout(resolve, 500))])
    socket.resume()
    socket.end(PAGE)
    const { remotePort } = socket
    await once(socket, 'close')
    return { port: remotePort as number, bytes: [socket.bytesRead, socket.bytesWritten] as const }
  })
  const client = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = once(client, 'close').then(
    ([code]) => code === 0,
    () => false,
  )
  if (!(await ended)) {
    server.close()
    return undefined
  }
  const { port: clientPort, bytes } = await served
  server.close()
  const [asked, answered] = bytes
  return {
    facts: { pid: process.pid, child: client.pid, port: clientPort },
    expected: sentencesOf([
      `connect & close outbound by child, closed by child: ${asked}/${answered}`,
      `accept & close inbound by parent, closed by parent: ${answered}/${asked}`,
    ]),
  }
}

function wordOf({ pid, child }: Facts): ReadonlyMap<number, string> {
  return new Map([
    [pid, 'parent'],
    [child as number, 'child'],
  ])
}

/** All situations with a sort of rungs; the loss of a record makes it begin again. */
async function rowsOf(rung: RungName): Promise<(Row | Absent)[]> {
  const options = { sockets: true, backends: ['ebpf'], ringSizeBytes: 2 ** 25, aggregation: 'none' }
  for (let tries = 1; ; tries += 1) {
    const quark = await openQuark(catalogueWith(rung), options)
    const { attached, missing } = quark.capabilities
    if (!hasRungs(rung, attached)) {
      await quark.close()
      const reasons = missing.filter(({ fact }) => fact.startsWith('socket')).map(({ reason }) => reason)
      return [{ rung, absent: [...new Set(reasons)].join('; ') || 'every fact has a better rung' }]
    }
    const facts = new Map<Situation, Facts>()
    for (const name of hasPython ? SITUATION_NAMES : []) {
      const known = await run(name)
      if (known['absent'] === undefined) facts.set(name, known)
      else console.error(`${name}: this kernel has no ${String(known['absent'])}`)
    }
    const fetched = new Map<string, Fetched>()
    for (const name of Object.keys(CLIENTS)) {
      const known = await fetchBy(name)
      if (known !== undefined) fetched.set(name, known)
    }
    const datagrams = new Map<(typeof TABLED)[number], Facts>()
    for (const name of hasPython ? TABLED : [])
      datagrams.set(name, await runProgram(name, UDP + DATAGRAMS[name]))
    const all = quark.finish() as readonly QuarkEvent[]
    const events = all.filter(isOfSocket)
    await quark.close()
    const { lost } = quark.stats()
    if (lost > 0 && tries < MAX_TRIES) continue
    const row = (situation: string, verdict: Verdict): Row => ({ rung, situation, ...verdict })
    return [
      ...[...facts].map(([name, known]) =>
        row(name, verdictOf(expectedOf(name, known), seenOf(name, known, events))),
      ),
      ...[...fetched].map(([name, { facts: known, expected }]) => {
        const seen = eventsOf(inOwnNamespace(events), known).map((event) => sentence(event, wordOf(known)))
        return row(`fetched by ${name}`, verdictOf(expected, seen))
      }),
      ...[...datagrams].map(([name, known]) =>
        row(
          name === 'raw' ? 'raw sockets' : `UDP, ${name}`,
          datagramVerdict(name, known, all as readonly DatagramEvent[]),
        ),
      ),
    ]
  }
}

if (!hasPython) console.error('Python 3.9 is not there: only clients of other languages are run')
for (const rung of Object.keys(RUNGS) as RungName[]) {
  try {
    for (const row of await rowsOf(rung)) writeRow(row)
  } catch (error) {
    writeRow({ rung, absent: (error as Error).message })
  }
}
