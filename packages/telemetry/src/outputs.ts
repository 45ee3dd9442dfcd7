/** Events in the formats that quark writes, for the kinds that `Quark` knows. */

import { catalogue, type QuarkEvent } from './kinds/index.js'
import { localMachine } from './context/local.js'
import { localNames } from './context/users.js'
import type { BaseEvent } from './event/event.js'
import type { Writable } from './event/forms.js'
import { checkOptions } from './options/check.js'
import { type EcsOptions, ecsOptions, type LineOptions, lineOptions } from './options/lines.js'
import {
  type BufferedRecord,
  bufferGraphWriter,
  type GraphNode,
  type GraphOrder,
  treeGraph,
} from './output/dot.js'
import { type EcsContext, ecsWriter } from './output/ecs.js'
import { jsonWriter } from './output/json.js'
import { textHeading, type TextContext, type TextOptions, textWriter } from './output/text.js'
import { type DumpOptions, dumpWriter } from './output/dump.js'
import { DEFAULT_LINE_BYTES, type MachineNames } from './output/line.js'
import type { LineWriter } from './output/writer.js'
import { processLines } from './process/lines.js'
import type { Process } from './process/process.js'
import { declarations, type EndEvent, type StartEvent } from './stream.js'

/** Declarations of the options of lines. */
export const LINE_OPTIONS: typeof lineOptions = lineOptions
/** Declarations of the options of ECS documents. */
export const ECS_OPTIONS: typeof ecsOptions = ecsOptions

const localUsers: TextContext = { userName: (uid) => localNames.userName(uid) }
const writeText = textWriter(catalogue, localUsers)
const writeDump = dumpWriter(catalogue)
/** Made when it is first needed: it looks at the machine. */
let writeJson: LineWriter<BaseEvent> | undefined
const drawBuffer = bufferGraphWriter(catalogue)

export { textHeading }

/**
 * One event as a line of text, without the line end: what people read first, see docs/text.md. Strings are made safe for a
 * terminal, and the command can be pasted into a shell. Users have the
 * names that this machine has for them. Of a line of more than 256 KiB
 * the longest values are cut.
 *
 * @throws {RangeError} when there is no such time zone
 */
export function textOf(event: Writable<QuarkEvent>, options?: TextOptions): string {
  return writeText(event, options)
}

/**
 * One event as lines of a dump, without the last line end. Strings are made safe for a terminal. Of an event with more than
 * 256 KiB of text the longest values are cut, see `createDump`.
 */
export function dumpOf(event: Writable<QuarkEvent>, options?: DumpOptions): string {
  return writeDump(event, options)
}

/**
 * One event as a line of JSON, without the line end: what `JSON.stringify` makes of it. Unknown members are absent; times
 * are ISO 8601 strings with ns, capability sets hexadecimal strings, durations numbers if they are exact, and other 64-bit
 * values strings of decimal digits. Users and groups have the names that this machine has for them. Of a line of more
 * than 256 KiB the longest values are cut, see `createJson`.
 */
export function jsonOf(event: Writable<QuarkEvent | StartEvent | EndEvent>): string {
  writeJson ??= jsonWriter(declarations, DEFAULT_LINE_BYTES, localMachine())
  return writeJson(event)
}

/**
 * A function that writes events as `textOf` does, and counts those that it cuts at the limit of bytes. A line that is cut
 * says so: `line cut`.
 *
 * @param context where users get their names from; default: this machine
 * @throws {OptionError} when an option is wrong
 */
export function createText(
  context: TextContext = localUsers,
  options: LineOptions = {},
): LineWriter<Writable<QuarkEvent>, TextOptions> {
  return textWriter(catalogue, context, maxBytesOf(options))
}

/**
 * A function that writes events as `dumpOf` does, and counts those that it cuts.
 *
 * @throws {OptionError} when an option is wrong
 */
export function createDump(options: LineOptions = {}): LineWriter<Writable<QuarkEvent>, DumpOptions> {
  return dumpWriter(catalogue, maxBytesOf(options))
}

/**
 * A function that writes events as `jsonOf` does, and counts those that it cuts. A line that is cut says so:
 * `lineTruncated`.
 *
 * @param names where users and groups get their names from, such as a `Quark`, and which capabilities there are; default: this machine
 * @throws {OptionError} when an option is wrong
 */
export function createJson(
  options: LineOptions = {},
  names: MachineNames = localMachine(),
): LineWriter<Writable<QuarkEvent | StartEvent | EndEvent>> {
  return jsonWriter(declarations, maxBytesOf(options), names)
}

/**
 * A function that writes events as lines of ECS JSON, without line ends, and counts those that it cuts. Host fields are
 * written once, here; lean documents have all of them only in that of `quark.startEvent()`, which is to be written first. A
 * line that is cut says so: `quark.line_truncated`.
 *
 * @throws {OptionError} when an option is wrong
 */
export function createEcs(
  context: EcsContext,
  options: EcsOptions = {},
): LineWriter<Writable<QuarkEvent | StartEvent | EndEvent>> {
  const { form, maxLineBytes } = checkOptions(ecsOptions, options)
  return ecsWriter(declarations, context, { document: form, maxBytes: maxLineBytes })
}

function maxBytesOf(options: LineOptions): number {
  return checkOptions(lineOptions, options).maxLineBytes
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
