/** The terminals of a recording. */

import { type QuarkEvent, sanitise } from 'quark-telemetry'

type TtyEvent = Extract<QuarkEvent, { kind: 'tty' }>

/** What is known of one terminal. */
export interface Terminal {
  /** `pts/3`, or `229:0` where the device has no name; `pts/3@27` if several of them have the same name. */
  name: string
  readonly key: string
  readonly firstNs: bigint
  lastNs: bigint
  writes: number
  bytes: number
  columns: number | undefined
  rows: number | undefined
  /** Names of the processes that wrote, the first ones. */
  readonly programs: Set<string>
}

const MOST_PROGRAMS = 4
/** Terminals beyond these are not listed. */
const MOST_TERMINALS = 4096

/** What distinguishes a terminal from others. */
export function keyOf({ ttyMajor, ttyMinor, devpts = 0 }: TtyEvent): string {
  return `${ttyMajor}:${ttyMinor}@${devpts}`
}

/** The terminals of events, in the order of their first writes. */
export class Terminals {
  readonly #found = new Map<string, Terminal>()

  add(event: QuarkEvent): void {
    if (event.kind !== 'tty') return
    const key = keyOf(event)
    let terminal = this.#found.get(key)
    if (terminal === undefined) {
      if (this.#found.size === MOST_TERMINALS) return
      terminal = begun(key, event)
      this.#found.set(key, terminal)
    }
    terminal.lastNs = event.timeNs
    terminal.writes += event.writes
    terminal.bytes += event.writtenBytes
    terminal.columns = event.columns ?? terminal.columns
    terminal.rows = event.rows ?? terminal.rows
    const { comm } = event.process ?? {}
    if (comm !== undefined && terminal.programs.size < MOST_PROGRAMS) terminal.programs.add(comm)
  }

  /** All of them, each with a name of its own. */
  all(): Terminal[] {
    const all = [...this.#found.values()]
    const count = (name: string): number => all.filter((one) => one.name === name).length
    const shared = new Set(all.filter(({ name }) => count(name) > 1))
    for (const one of shared) one.name += `@${one.key.split('@')[1]}`
    return all
  }
}

function begun(key: string, { terminal, ttyMajor, ttyMinor, timeNs }: TtyEvent): Terminal {
  return {
    name: terminal ?? `${ttyMajor}:${ttyMinor}`,
    key,
    firstNs: timeNs,
    lastNs: timeNs,
    writes: 0,
    bytes: 0,
    columns: undefined,
    rows: undefined,
    programs: new Set(),
  }
}

/** A line for a terminal, for people. */
export function terminalLine({
  name,
  firstNs,
  lastNs,
  writes,
  bytes,
  columns,
  rows,
  programs,
}: Terminal): string {
  const begin = new Date(Number(firstNs / 1_000_000n)).toISOString()
  const seconds = (Number(lastNs - firstNs) / 1e9).toFixed(1)
  const size = columns === undefined || rows === undefined ? 'no size' : `${columns}x${rows}`
  const by = programs.size === 0 ? '' : `, by ${[...programs].map(sanitise).join(', ')}`
  return `${name.padEnd(10)} ${begin}, ${seconds} s, ${size}, ${writes} writes, ${bytes} bytes${by}\n`
}
