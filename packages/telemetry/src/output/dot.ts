/** Graphs in the language of Graphviz. */

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

/** Colours of the types of records. */
export interface RecordColours {
  readonly recordTypes: readonly { readonly name: string; readonly colour?: string }[]
}

/** A thing in a tree of things. */
export interface GraphNode {
  readonly id: number
  /** 0 or undefined for none. */
  readonly parentId: number | undefined
  readonly lines: readonly string[]
}

/** A box per thing, and an edge from each parent to its children. */
export function treeGraph(name: string, nodesOf: Iterable<GraphNode>): string {
  let nodes = ''
  let edges = ''
  for (const { id, parentId = 0, lines } of nodesOf) {
    const colour = SIBLING_COLOURS[parentId % SIBLING_COLOURS.length]
    nodes += `  ${id} [label=${label(lines)}, fillcolor=${colour}];\n`
    if (parentId !== 0) edges += `  ${parentId} -> ${id};\n`
  }
  return `digraph ${name} {\n  ranksep=2.0;\n  nodesep=0.65;\n  node [shape=box, style=filled, fillcolor=white];\n${nodes}${edges}}\n`
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

/** A quoted string of left-aligned lines. Graphviz itself reads backslashes and HTML entities in it. */
function label(lines: readonly string[]): string {
  const escaped = lines.map((line) => sanitise(line).replace(/["\\]/g, '\\$&').replace(/&/g, '&amp;'))
  return `"${escaped.join('\\l')}\\l"`
}
