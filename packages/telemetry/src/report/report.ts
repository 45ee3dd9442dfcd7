/** A report about what one command did, as an object: see docs/report.md. */

import { ACTIVITIES, type ActivityType } from '../event/activity-spec.js'
import { countText } from '../output/amounts.js'
import type { NewBehaviour } from './baseline.js'
import { type Collector, type CollectedActivity, type Node, secondsOf, stepOf } from './collector.js'

/** Most processes in the tree of a report, its depth, and entries of each list. */
export const MAX_TREE = 2000
export const MAX_DEPTH = 100
export const MAX_ENTRIES = 1000
/** Of who did something, so many are listed. */
const MAX_BY = 5
const ACTOR_CHARS = 200
const MAX_DETAILS = 8
/** Of the steps that did the same, so many are listed. */
const MAX_STEPS = 100
const NS_PER_SECOND = 1e9

/** A process in a report. Times are seconds. */
export interface ReportedProcess {
  readonly pid: number
  /** As one could paste it into a shell, maybe cut. */
  readonly command: string
  readonly exe?: string
  /** After the begin of the first process. */
  readonly begin: number
  /** From begin to end; absent while it runs. */
  readonly seconds?: number
  readonly cpuSeconds?: number
  readonly exitCode?: number
  readonly exitSignal?: number
  readonly step: string
  readonly children?: readonly ReportedProcess[]
}

/** Who did something. */
export interface ReportedActor {
  readonly pid: number
  readonly command: string
  readonly step: string
}

/** Something that was done, by however many processes. */
export interface ReportedActivity {
  readonly target: string
  readonly details?: readonly string[]
  readonly count: number
  readonly failed?: number
  readonly sentBytes?: number
  readonly receivedBytes?: number
  /** The steps whose processes did it. */
  readonly steps: readonly string[]
  /** The first few of the processes. */
  readonly by: readonly ReportedActor[]
}

/** A program that was executed. */
export interface ReportedExecutable {
  readonly path: string
  readonly count: number
  /** The steps that executed it. */
  readonly steps: readonly string[]
}

/** How many more of each list there are than it has. */
export type LeftOut = {
  readonly [List in ActivityType | 'tree' | 'running' | 'steps' | 'executables']?: number
}

/** A script of a package, or another part of the command. */
export interface ReportedStep {
  readonly name: string
  readonly package?: string
  readonly version?: string
  readonly script?: string
  readonly processes: number
  readonly failed: number
  readonly seconds: number
}

/** A report about one command. */
export interface RunReport {
  readonly kind: 'report'
  readonly version: 1
  readonly command?: readonly string[]
  readonly cwd?: string
  readonly seconds: number
  readonly exitCode?: number
  readonly exitSignal?: number
  readonly processes: {
    /** As the kernel has counted them; absent if it did not. */
    readonly created?: number
    readonly seen: number
    readonly failed: number
  }
  /** All that the command did is in the report. */
  readonly isComplete: boolean
  /** Why not: sentences without a period. */
  readonly missing: readonly string[]
  /** What cannot be seen on this machine, whatever happens. */
  readonly limits: readonly string[]
  /** What is not in the baseline; absent without one, or if there is nothing. */
  readonly newBehaviour?: readonly NewBehaviour[]
  /** Processes that still ran at the end, without their children. */
  readonly running: readonly ReportedProcess[]
  /** The longest process, the longest of those that it created, and so on. */
  readonly slowestPath: readonly ReportedProcess[]
  readonly tree: readonly ReportedProcess[]
  readonly steps: readonly ReportedStep[]
  /** Programs that were executed. */
  readonly executables: readonly ReportedExecutable[]
  /** Files below the working directory that were created, changed or removed; they are not listed. */
  readonly filesInside: number
  /** Files that were created and removed again; they are not listed. */
  readonly filesTemporary: number
  readonly activities: { readonly [What in ActivityType]?: readonly ReportedActivity[] }
  /** Of what there is more than is listed. It was seen, and counts everywhere else. */
  readonly leftOut: LeftOut
}

/** What is known of the run beside its events. */
export interface RunFacts {
  readonly command?: readonly string[]
  readonly cwd?: string
  readonly exitCode?: number
  readonly exitSignal?: number
  /** Processes that the kernel has counted. */
  readonly created?: number
  /** What was lost: sentences without a period. */
  readonly missing?: readonly string[]
  /** What cannot be seen on this machine: sentences without a period. */
  readonly limits?: readonly string[]
  /** What is not in the baseline. */
  readonly newBehaviour?: readonly NewBehaviour[]
}

/** Makes a report of what was collected. */
export function reportOf(collector: Collector, facts: RunFacts = {}): RunReport {
  const { command, cwd, exitCode, exitSignal, created, newBehaviour = [] } = facts
  const missing = [...(facts.missing ?? []), ...gapsOf(collector, created)]
  const isFile = (what: ActivityType): boolean =>
    what === 'created' || what === 'changed' || what === 'removed'
  const isInside = ({ what, target }: CollectedActivity): boolean =>
    isFile(what) && cwd !== undefined && isBelow(target, cwd)
  const { nodes, roots, endNs, begun } = collector
  const all = [...collector.activities]
  const temporary = temporaryFiles(all)
  const inside = new Set(all.filter(isInside).map(({ target }) => target))
  const beginNs = collector.beginNs ?? 0n
  const lists = new Lists()
  return {
    kind: 'report',
    version: 1,
    ...(command === undefined ? {} : { command }),
    ...(cwd === undefined ? {} : { cwd }),
    seconds: Number((endNs ?? beginNs) - beginNs) / NS_PER_SECOND,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(exitSignal === undefined ? {} : { exitSignal }),
    processes: {
      ...(created === undefined ? {} : { created }),
      seen: begun,
      failed: nodes.filter(hasFailed).length,
    },
    isComplete: missing.length === 0,
    missing,
    limits: facts.limits ?? [],
    ...(newBehaviour.length === 0 ? {} : { newBehaviour }),
    running: lists.cut('running', nodes.filter(isRunning)).map((node) => shown(node, beginNs)),
    slowestPath: slowestOf(roots).map((node) => shown(node, beginNs)),
    tree: lists.tree(roots, nodes.length, beginNs),
    steps: lists.cut('steps', stepsOf(nodes)),
    executables: lists.cut('executables', executablesOf(collector)),
    filesInside: [...inside].filter((path) => !temporary.has(path)).length,
    filesTemporary: temporary.size + collector.temporary,
    activities: activitiesOf(
      all.filter((one) => !isInside(one) && !(isFile(one.what) && temporary.has(one.target))),
      lists,
    ),
    leftOut: lists.leftOut,
  }
}

/** Cuts lists, and counts what they had. */
class Lists {
  readonly leftOut: { -readonly [List in keyof LeftOut]: LeftOut[List] } = {}

  cut<T>(list: keyof LeftOut, entries: readonly T[]): readonly T[] {
    if (entries.length <= MAX_ENTRIES) return entries
    this.leftOut[list] = entries.length - MAX_ENTRIES
    return entries.slice(0, MAX_ENTRIES)
  }

  /** The tree, level by level, as far as it has room. */
  tree(roots: readonly Node[], count: number, beginNs: bigint): ReportedProcess[] {
    const kept = new Set<Node>()
    let level = roots
    for (let depth = 0; level.length > 0 && kept.size < MAX_TREE && depth < MAX_DEPTH; depth += 1) {
      for (const node of level.slice(0, MAX_TREE - kept.size)) kept.add(node)
      level = level.flatMap(({ children }) => children)
    }
    const branch = (node: Node): ReportedProcess => {
      const children = node.children.filter((child) => kept.has(child)).map(branch)
      return { ...shown(node, beginNs), ...(children.length === 0 ? {} : { children }) }
    }
    if (kept.size < count) this.leftOut.tree = count - kept.size
    return roots.filter((node) => kept.has(node)).map(branch)
  }
}

function gapsOf(
  { lost, leftOut, activitiesLeftOut, commandsLeftOut, begun }: Collector,
  created: number | undefined,
): string[] {
  return [
    ...(lost === 0 ? [] : [`${countText(lost)} records were lost`]),
    ...(created === undefined || created === begun
      ? []
      : [`${countText(created)} processes were created, and ${countText(begun)} of them seen`]),
    ...(leftOut === 0 ? [] : [`${countText(leftOut)} processes are too many for the report`]),
    ...(activitiesLeftOut === 0
      ? []
      : [`${countText(activitiesLeftOut)} activities are too many for the report`]),
    ...(commandsLeftOut === 0 ? [] : [`${countText(commandsLeftOut)} commands are too long for the report`]),
  ]
}

/** Files of which the first activity is that they were created, and the last one that they were removed. */
function temporaryFiles(activities: readonly CollectedActivity[]): Set<string> {
  const first = new Map<string, CollectedActivity>()
  const last = new Map<string, CollectedActivity>()
  for (const done of activities) {
    if (done.what !== 'created' && done.what !== 'changed' && done.what !== 'removed') continue
    const before = first.get(done.target)
    if (before === undefined || done.timeNs < before.timeNs) first.set(done.target, done)
    const after = last.get(done.target)
    if (after === undefined || done.lastNs >= after.lastNs) last.set(done.target, done)
  }
  return new Set(
    [...first]
      .filter(([path, { what }]) => what === 'created' && last.get(path)?.what === 'removed')
      .map(([path]) => path),
  )
}

function isBelow(path: string, directory: string): boolean {
  const parent = directory.replace(/\/+$/, '')
  return path === parent || path.startsWith(`${parent}/`)
}

function isRunning({ endNs }: Node): boolean {
  return endNs === undefined
}

function hasFailed({ exitCode, exitSignal }: Node): boolean {
  return exitSignal !== undefined || (exitCode !== undefined && exitCode !== 0)
}

function shown(node: Node, beginNs: bigint): ReportedProcess {
  const { pid, command, exe, exitCode, exitSignal, cpuNs } = node
  const seconds = secondsOf(node)
  return {
    pid,
    command,
    ...(exe === undefined ? {} : { exe }),
    begin: Number(node.beginNs - beginNs) / NS_PER_SECOND,
    ...(seconds === undefined ? {} : { seconds }),
    ...(cpuNs === undefined ? {} : { cpuSeconds: cpuNs / NS_PER_SECOND }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(exitSignal === undefined ? {} : { exitSignal }),
    step: stepOf(node).name,
  }
}

/** The longest of the processes, the longest of those that it made, and so on. */
function slowestOf(roots: readonly Node[]): Node[] {
  const path: Node[] = []
  let among: readonly Node[] = roots
  while (among.length > 0 && path.length < 64) {
    const longest = among.reduce((a, b) => ((secondsOf(b) ?? 0) > (secondsOf(a) ?? 0) ? b : a))
    path.push(longest)
    among = longest.children
  }
  return path
}

function stepsOf(nodes: readonly Node[]): ReportedStep[] {
  const steps = new Map<
    string,
    { -readonly [K in keyof ReportedStep]: ReportedStep[K] } & { from: bigint; to: bigint }
  >()
  for (const node of nodes) {
    const step = stepOf(node)
    const end = node.endNs ?? node.beginNs
    const of = steps.get(step.name)
    if (of === undefined) {
      steps.set(step.name, {
        ...step,
        processes: 1,
        failed: hasFailed(node) ? 1 : 0,
        seconds: 0,
        from: node.beginNs,
        to: end,
      })
      continue
    }
    of.processes += 1
    if (hasFailed(node)) of.failed += 1
    if (node.beginNs < of.from) of.from = node.beginNs
    if (end > of.to) of.to = end
  }
  return [...steps.values()].map(({ from, to, ...step }) => ({
    ...step,
    seconds: Number(to - from) / NS_PER_SECOND,
  }))
}

function executablesOf({ executables }: Collector): ReportedExecutable[] {
  const paths = new Map<string, { path: string; count: number; steps: string[] }>()
  for (const { path, step, count } of executables) {
    const known = paths.get(path)
    if (known === undefined) paths.set(path, { path, count, steps: [step] })
    else {
      known.count += count
      known.steps.push(step)
    }
  }
  return [...paths.values()]
}

function activitiesOf(all: readonly CollectedActivity[], lists: Lists): RunReport['activities'] {
  const reported: Partial<Record<ActivityType, readonly ReportedActivity[]>> = {}
  for (const what of Object.keys(ACTIVITIES) as ActivityType[]) {
    const byTarget = new Map<string, CollectedActivity[]>()
    for (const one of all) {
      if (one.what !== what) continue
      const same = byTarget.get(one.target)
      if (same === undefined) byTarget.set(one.target, [one])
      else same.push(one)
    }
    if (byTarget.size > 0) reported[what] = lists.cut(what, [...byTarget.values()]).map(activityOf)
  }
  return reported
}

function activityOf(same: readonly CollectedActivity[]): ReportedActivity {
  const sum = (read: (one: CollectedActivity) => number): number =>
    same.reduce((total, one) => total + read(one), 0)
  const details = [...new Set(same.flatMap((one) => [...one.details]))]
  const failed = sum((one) => one.failed)
  const sentBytes = sum((one) => one.sentBytes)
  const receivedBytes = sum((one) => one.receivedBytes)
  return {
    target: (same[0] as CollectedActivity).target,
    ...(details.length === 0 ? {} : { details: details.slice(0, MAX_DETAILS) }),
    count: sum(({ count }) => count),
    ...(failed === 0 ? {} : { failed }),
    ...(sentBytes === 0 ? {} : { sentBytes }),
    ...(receivedBytes === 0 ? {} : { receivedBytes }),
    steps: stepsIn(same),
    by: same.slice(0, MAX_BY).map(({ by }) => ({
      pid: by.pid,
      command: by.command.slice(0, ACTOR_CHARS),
      step: stepOf(by).name,
    })),
  }
}

function stepsIn(same: readonly CollectedActivity[]): string[] {
  return [...new Set(same.map(({ by }) => stepOf(by).name))].slice(0, MAX_STEPS)
}
