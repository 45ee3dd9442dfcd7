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

/** Processes are spans, each in a row of its own; what they did are marks in it. */
export function timelineOf({ nodes, activities, beginNs = 0n, endNs = 0n }: Collector): Timeline {
  const us = (timeNs: bigint): number => Number(timeNs - beginNs) / NS_PER_US
  // A pid may come twice: a row is a process.
  const rows = new Map(nodes.map((node, index) => [node, index + 1]))
  const traceEvents: TraceEvent[] = []
  for (const node of nodes) {
    const tid = rows.get(node) as number
    const row = { pid: 1, tid }
    traceEvents.push({
      name: 'thread_name',
      cat: 'process',
      ph: 'M',
      ts: 0,
      ...row,
      args: { name: rowName(node) },
    })
    const dur = us(node.endNs ?? endNs) - us(node.beginNs)
    traceEvents.push({
      name: node.command,
      cat: 'process',
      ph: 'X',
      ts: us(node.beginNs),
      dur,
      ...row,
      args: argsOf(node),
    })
  }
  for (const { what, target, by, timeNs, count } of activities) {
    const row = { pid: 1, tid: rows.get(by) as number }
    traceEvents.push({
      name: `${ACTIVITIES[what]}: ${target}`,
      cat: what,
      ph: 'i',
      s: 't',
      ts: us(timeNs),
      ...row,
      args: { count },
    })
  }
  return { displayTimeUnit: 'ms', traceEvents }
}

function rowName({ pid, comm, exe }: Node): string {
  return `${comm ?? exe ?? '?'} ${pid}`
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
