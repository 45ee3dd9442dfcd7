import type { BaseEvent } from '../event/event.js'
import type { Activity, ActivityType } from '../event/activity-spec.js'
import type { EventSpec } from '../event/spec.js'
import { shellWord } from '../output/shell.js'
import type { Process } from '../process/process.js'
import { packageOf, type Step } from './attribution.js'

/** Most processes that are kept. Of the others only the number is known. */
export const MAX_PROCESSES = 65_536
/** Most different activities of all processes together. */
export const MAX_ACTIVITIES = 65_536
/** Of a command, and of what something was done to. */
const MAX_CHARS = 1024
const NS_PER_SECOND = 1e9

/** An event, as far as a report looks at it. */
export type ReportedEvent = BaseEvent & {
  readonly process?: Process | undefined
  readonly actions?: readonly string[]
}

/** A process, from what its events say. */
export interface Node {
  readonly pid: number
  readonly parent: Node | undefined
  readonly children: Node[]
  command: string
  exe: string | undefined
  comm: string | undefined
  beginNs: bigint
  endNs: bigint | undefined
  exitCode: number | undefined
  exitSignal: number | undefined
  cpuNs: number | undefined
  /** Its own; that of an ancestor counts otherwise. */
  step: Step | undefined
}

/** Something that was done, by one process, however often. */
export interface CollectedActivity {
  readonly what: ActivityType
  readonly target: string
  readonly by: Node
  /** Of the first time and the last one. */
  readonly timeNs: bigint
  lastNs: bigint
  details: Set<string>
  count: number
  failed: number
  sentBytes: number
  receivedBytes: number
}

/** Of what varies, so much is kept. */
const MAX_DETAILS = 16

/** Collects what the processes of a command did, in bounded memory. */
export class Collector {
  /** Processes without a parent among them, in the order of their begin. */
  readonly roots: Node[] = []
  readonly activities: CollectedActivity[] = []
  /** Processes that began, and of those the ones that are not kept. */
  begun = 0
  leftOut = 0
  activitiesLeftOut = 0
  lost = 0
  beginNs: bigint | undefined
  endNs: bigint | undefined
  readonly #nodes: Node[] = []
  readonly #byPid = new Map<number, Node>()
  readonly #activitiesByKey = new Map<string, CollectedActivity>()
  readonly #numbers = new Map<Node, number>()
  readonly #specs: ReadonlyMap<string, EventSpec>

  constructor(specs: readonly EventSpec[]) {
    this.#specs = new Map(specs.map((spec) => [spec.kind, spec]))
  }

  /** Processes in the order of their begin. */
  get nodes(): readonly Node[] {
    return this.#nodes
  }

  /** Takes in an event of the command. */
  add(event: ReportedEvent): void {
    if (event.kind === 'lost') {
      this.lost += (event as unknown as { readonly count: number }).count
      return
    }
    this.beginNs ??= event.timeNs
    if (this.endNs === undefined || event.timeNs > this.endNs) this.endNs = event.timeNs
    const { process, actions = [] } = event
    const node = process === undefined ? undefined : this.#nodeOf(process, event.timeNs, actions)
    const activities = this.#specs.get(event.kind)?.activities?.(event)
    if (activities === undefined || node === undefined) return
    for (const activity of activities) this.#done(activity, node, event.timeNs)
  }

  /** The process of an event, with what the event says of it. */
  #nodeOf(process: Process, timeNs: bigint, actions: readonly string[]): Node | undefined {
    const begins = actions[0] === 'fork'
    if (begins) this.begun += 1
    let node = this.#byPid.get(process.pid)
    if (node === undefined || begins) node = this.#begin(process, timeNs)
    if (node !== undefined) update(node, process, timeNs)
    return node
  }

  #begin(process: Process, timeNs: bigint): Node | undefined {
    if (this.#nodes.length >= MAX_PROCESSES) {
      this.leftOut += 1
      return undefined
    }
    const parent = this.#byPid.get(process.creatorPid ?? process.ppid ?? 0)
    const node: Node = {
      pid: process.pid,
      parent,
      children: [],
      command: '',
      exe: undefined,
      comm: undefined,
      beginNs: process.startTimeNs ?? timeNs,
      endNs: undefined,
      exitCode: undefined,
      exitSignal: undefined,
      cpuNs: undefined,
      step: undefined,
    }
    this.#byPid.set(process.pid, node)
    this.#numbers.set(node, this.#nodes.length)
    this.#nodes.push(node)
    if (parent === undefined) this.roots.push(node)
    else parent.children.push(node)
    return node
  }

  #done(
    { what, target, detail, failed, sentBytes = 0, receivedBytes = 0 }: Activity,
    by: Node,
    timeNs: bigint,
  ): void {
    const short = target.slice(0, MAX_CHARS)
    const key = `${what}\0${this.#numbers.get(by)}\0${short}`
    let done = this.#activitiesByKey.get(key)
    if (done === undefined) {
      if (this.activities.length >= MAX_ACTIVITIES) {
        this.activitiesLeftOut += 1
        return
      }
      done = {
        what,
        target: short,
        by,
        timeNs,
        lastNs: timeNs,
        details: new Set(),
        count: 0,
        failed: 0,
        sentBytes: 0,
        receivedBytes: 0,
      }
      this.#activitiesByKey.set(key, done)
      this.activities.push(done)
    }
    done.count += 1
    done.lastNs = timeNs
    if (failed === true) done.failed += 1
    done.sentBytes += sentBytes
    done.receivedBytes += receivedBytes
    if (detail !== undefined && done.details.size < MAX_DETAILS) done.details.add(detail.slice(0, MAX_CHARS))
  }
}

function update(node: Node, process: Process, timeNs: bigint): void {
  const { exe, comm, exitTimeNs, exitCode, exitSignal, usage } = process
  if (node.command === '' || exe !== node.exe) {
    node.command = commandOf(process)
    node.step = process.env === undefined ? node.step : packageOf(process.env)
  }
  node.exe = exe
  node.comm = comm
  if (exitTimeNs === undefined && exitCode === undefined && exitSignal === undefined) return
  node.endNs = exitTimeNs ?? timeNs
  node.exitCode = exitCode
  node.exitSignal = exitSignal
  if (usage !== undefined) node.cpuNs = Number(usage.userTimeNs) + Number(usage.systemTimeNs)
}

function commandOf({ argv, exe, comm }: Process): string {
  if (argv === undefined || argv.length === 0) return exe ?? comm ?? '(unknown)'
  let text = ''
  for (const argument of argv) {
    text += `${text === '' ? '' : ' '}${shellWord(argument.slice(0, MAX_CHARS))}`
    if (text.length > MAX_CHARS) return `${text.slice(0, MAX_CHARS - 1)}…`
  }
  return text
}

/** How long a process ran; undefined while it does. */
export function secondsOf({ beginNs, endNs }: Node): number | undefined {
  return endNs === undefined ? undefined : Number(endNs - beginNs) / NS_PER_SECOND
}

/** The step that a process belongs to: the package of its own environment or the nearest ancestor's, else the part of the command. */
export function stepOf(node: Node): Step {
  let at: Node | undefined = node
  let part = node
  while (at !== undefined) {
    if (at.step !== undefined) return at.step
    if (at.parent !== undefined) part = at
    at = at.parent
  }
  return { name: nameOf(part) }
}

function nameOf({ exe, comm }: Node): string {
  return exe === undefined ? (comm ?? '(unknown)') : exe.slice(exe.lastIndexOf('/') + 1)
}
