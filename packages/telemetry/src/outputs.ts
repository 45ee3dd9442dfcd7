/** Events in the formats that quark writes, for the kinds that `Quark` knows. */

import { catalogue, type QuarkEvent } from './kinds/index.js'
import {
  type BufferedRecord,
  bufferGraphWriter,
  type GraphNode,
  type GraphOrder,
  treeGraph,
} from './output/dot.js'
import { type EcsContext, ecsWriter } from './output/ecs.js'
import { jsonWriter } from './output/json.js'
import { type TextOptions, textWriter } from './output/text.js'
import { processLines } from './process/lines.js'
import type { Process } from './process/process.js'

const writeText = textWriter(catalogue)
const writeJson = jsonWriter(catalogue)
const drawBuffer = bufferGraphWriter(catalogue)

/** One event as lines of text, without the last line end. Strings are made safe for a terminal. */
export function textOf(event: QuarkEvent, options?: TextOptions): string {
  return writeText(event, options)
}

/**
 * One event as a line of JSON, without the line end. Unknown members are absent; times are ISO 8601 strings
 * with ns, capability sets hexadecimal strings, and other 64-bit values strings of decimal digits.
 */
export function jsonOf(event: QuarkEvent): string {
  return writeJson(event)
}

/** A function that writes events as lines of ECS JSON, without line ends. Host fields are written once, here. */
export function createEcs(context: EcsContext): (event: QuarkEvent) => string {
  return ecsWriter(catalogue, context)
}

/** The records of `Quark.bufferedRecords()` as a graph: a node each, and an edge to the one that follows. */
export function bufferGraph(records: Iterable<BufferedRecord>, order: GraphOrder): string {
  return drawBuffer(records, order)
}

/** A box per process, and an edge from each parent to its children. */
export function processGraph(processes: Iterable<Process>): string {
  return treeGraph('processes', nodesOf(processes))
}

function* nodesOf(processes: Iterable<Process>): Iterable<GraphNode> {
  for (const process of processes) {
    yield { id: process.pid, parentId: process.ppid, lines: processLines(process) }
  }
}
