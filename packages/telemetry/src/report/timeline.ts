/** The processes of a command as a trace of Chrome's format, which Perfetto, speedscope and chrome://tracing show. */

import { ACTIVITIES } from '../event/activity-spec.js'
import { type Collector, type Node, secondsOf, stepOf } from './collector.js'

const NS_PER_US = 1000

interface TraceEvent {
  readonly name: string
  readonly cat: string
  readonly ph: 'X' | 'i' | 'M'
  readonly ts: number
  readonly pid: number
  readonly tid: number
  readonly dur?: number
  readonly s?: 't'
  readonly args: Readonly<Record<string, unknown>>
}

/** A trace: times are µs after the begin of the first process. */
export interface Timeline {
  readonly displayTimeUnit: 'ms'
  readonly traceEvents: readonly TraceEvent[]
}

/**
 * Processes are spans, what they did are marks in them. A process is drawn below the one that it was created by, in the same
 * row, as long as nothing else is there: rows are what ran at the same time.
 */
export function timelineOf({ nodes, activities, beginNs = 0n, endNs = 0n }: Collector): Timeline {
  const us = (timeNs: bigint): number => Number(timeNs - beginNs) / NS_PER_US
  const rows = rowsOf(nodes, endNs)
  const rowOf = (node: Node): { pid: number; tid: number } => ({ pid: 1, tid: rows.get(node) as number })
  const traceEvents: TraceEvent[] = []
  for (const tid of new Set(rows.values())) {
    const args = { name: tid === 1 ? 'processes' : `at the same time (${tid})` }
    traceEvents.push({ name: 'thread_name', cat: 'process', ph: 'M', ts: 0, pid: 1, tid, args })
  }
  for (const node of nodes) {
    traceEvents.push({
      name: node.command,
      cat: 'process',
      ph: 'X',
      ts: us(node.beginNs),
      dur: us(node.endNs ?? endNs) - us(node.beginNs),
      ...rowOf(node),
      args: argsOf(node),
    })
  }
  for (const { what, target, by, timeNs, count } of activities) {
    traceEvents.push({
      name: `${ACTIVITIES[what]}: ${target}`,
      cat: what,
      ph: 'i',
      s: 't',
      ts: us(timeNs),
      ...rowOf(by),
      args: { count },
    })
  }
  return { displayTimeUnit: 'ms', traceEvents }
}

/** The rows of processes, from 1. In a row, spans hold each other or are apart, as viewers need it. */
function rowsOf(nodes: readonly Node[], endNs: bigint): Map<Node, number> {
  const rows = new Map<Node, number>()
  /** Of each row the spans that are open, the outermost first. */
  const open: Node[][] = []
  const endOf = (node: Node): bigint => node.endNs ?? endNs
  const hasRoom = (row: Node[] | undefined, node: Node): row is Node[] => {
    if (row === undefined) return false
    while (row.length > 0 && endOf(row.at(-1) as Node) <= node.beginNs) row.pop()
    const around = row.at(-1)
    return around === undefined || (around === node.parent && endOf(node) <= endOf(around))
  }
  for (const node of nodes.toSorted((a, b) => (a.beginNs < b.beginNs ? -1 : a.beginNs > b.beginNs ? 1 : 0))) {
    const parents = (node.parent === undefined ? undefined : rows.get(node.parent)) ?? 0
    let row = hasRoom(open[parents - 1], node) ? parents : 0
    for (let at = 1; row === 0 && at <= open.length; at += 1) {
      if (hasRoom(open[at - 1], node) && open[at - 1]?.length === 0) row = at
    }
    if (row === 0) row = open.push([])
    open[row - 1]?.push(node)
    rows.set(node, row)
  }
  return rows
}

function argsOf(node: Node): Record<string, unknown> {
  const { pid, exe, exitCode, exitSignal, cpuNs } = node
  return {
    pid,
    ...(exe === undefined ? {} : { exe }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(exitSignal === undefined ? {} : { exitSignal }),
    ...(cpuNs === undefined ? {} : { cpuMs: cpuNs / 1e6 }),
    ...(secondsOf(node) === undefined ? { isRunning: true } : {}),
    step: stepOf(node).name,
  }
}
