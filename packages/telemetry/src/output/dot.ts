/** Graphs in the language of Graphviz. */

import type { Process } from '../process/process.js'
import { sanitise } from './sanitise.js'

/** A record that waits in the buffer. */
export interface BufferedRecord {
  readonly pid: number
  /** Time of the record in ns, by any clock that all of them share. */
  readonly timeNs: number | bigint
  /** Name of the record's type, such as `fork`. */
  readonly type: string
}

/** Colours of Graphviz's X11 scheme; siblings have the same one. */
const SIBLING_COLOURS = [
  'aquamarine',
  'burlywood1',
  'cadetblue1',
  'coral',
  'darkolivegreen1',
  'gold',
  'khaki',
  'lavender',
  'lightpink',
  'lightskyblue',
  'mistyrose',
  'palegreen',
  'peachpuff',
  'plum',
  'thistle',
  'wheat',
] as const

/** What a graph needs to know of the types of records. */
export interface RecordColours {
  readonly recordTypes: readonly { readonly name: string; readonly colour?: string }[]
}

/** A box per process, and an edge from each parent to its children. */
export function processGraph(processes: Iterable<Process>): string {
  let nodes = ''
  let edges = ''
  for (const p of processes) {
    const colour = SIBLING_COLOURS[(p.ppid ?? 0) % SIBLING_COLOURS.length]
    nodes += `  ${p.pid} [label=${label(processLabel(p))}, fillcolor=${colour}];\n`
    if (p.ppid !== undefined && p.ppid !== 0) edges += `  ${p.ppid} -> ${p.pid};\n`
  }
  return `digraph processes {\n  ranksep=2.0;\n  nodesep=0.65;\n  node [shape=box, style=filled, fillcolor=white];\n${nodes}${edges}}\n`
}

/** `time` is the order in which records are delivered, `pidTime` the chains of each process along which they can join. */
export type GraphOrder = 'time' | 'pidTime'

/** A function that draws a node per record, and an edge from each to the one that follows. */
export function bufferGraphWriter({
  recordTypes,
}: RecordColours): (records: Iterable<BufferedRecord>, order: GraphOrder) => string {
  const colours = new Map(recordTypes.map(({ name, colour }) => [name, colour]))
  return (records, order) => {
    const sorted = [...records].sort((a, b) => (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0))
    const last = new Map<number, number>()
    let nodes = ''
    let edges = ''
    for (const [i, { pid, timeNs, type }] of sorted.entries()) {
      const colour = colours.get(type) ?? 'white'
      nodes += `  r${i} [label=${label([String(timeNs), type, `pid ${pid}`])}, fillcolor=${colour}];\n`
      const chain = order === 'time' ? 0 : pid
      const previous = last.get(chain)
      if (previous !== undefined) edges += `  r${previous} -> r${i};\n`
      last.set(chain, i)
    }
    return `digraph buffer {\n  node [style=filled, color=black, fillcolor=white];\n${nodes}${edges}}\n`
  }
}

function processLabel(p: Process): string[] {
  const lines = [`pid ${p.pid}`, p.exe ?? p.comm ?? '<unknown>']
  add(lines, 'comm', p.comm)
  add(lines, 'cwd', p.cwd)
  add(lines, 'cap_permitted', p.capPermitted && `0x${p.capPermitted.toString(16)}`)
  add(lines, 'cap_effective', p.capEffective && `0x${p.capEffective.toString(16)}`)
  add(lines, 'time_boot', p.startTimeNs)
  for (const id of ['uid', 'gid', 'euid', 'egid', 'suid', 'sgid', 'pgid', 'sid'] as const)
    add(lines, id, p[id])
  if (p.ttyMajor !== undefined && p.ttyMajor !== 0) lines.push(`tty ${p.ttyMajor}:${p.ttyMinor ?? '?'}`)
  add(lines, 'exit_code', p.exitCode)
  add(lines, 'signal', p.exitSignal)
  add(lines, 'exit_time', p.exitTimeNs)
  return lines
}

function add(lines: string[], name: string, value: string | number | bigint | undefined): void {
  if (value !== undefined) lines.push(`${name} ${value}`)
}

/** A quoted string of left-aligned lines. Graphviz itself reads backslashes and HTML entities in it. */
function label(lines: readonly string[]): string {
  const escaped = lines.map((line) => sanitise(line).replace(/["\\]/g, '\\$&').replace(/&/g, '&amp;'))
  return `"${escaped.join('\\l')}\\l"`
}
