import type { BaseEvent } from '../event/event.js'
import type { Activity, ActivityType } from '../event/activity-spec.js'
import type { EventSpec } from '../event/spec.js'
import { shellWord } from '../output/shell.js'
import type { Process } from '../process/process.js'
import { packageOf, type Step, VARIABLES } from './attribution.js'
import { Texts } from './texts.js'

/** Most processes that are kept. Of the others only the number is known. */
export const MAX_PROCESSES = 65_536
/** Most different activities of all processes together, and most executables of all steps together. */
export const MAX_ACTIVITIES = 65_536
/** Of a command, and of what something was done to. */
const MAX_CHARS = 1024
/** Of what varies. */
const MAX_DETAIL_CHARS = 256
const MAX_DETAILS = 8
const NS_PER_SECOND = 1e9
/** A number of an activity is of its type, its process and its target, in this order. */
const MAX_TYPES = 16
/** Where files that come and go are not worth a line. */
const TEMPORARY = /^\/(?:tmp|var\/tmp|dev\/shm)\//

/** An event, as far as a report looks at it. */
export type ReportedEvent = BaseEvent & {
  readonly process?: ReportedProcess | undefined
  readonly actions?: readonly string[]
}

/** A process of an event; those of a queue can say what is in their environment without decoding it. */
type ReportedProcess = Process & { isInEnv?(text: string): boolean | undefined }

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
  /** Its own, else that of its parent when it began. */
  step: Step | undefined
  /** The child of the command, or the command, that it descends from. */
  readonly part: Node
  /** Of the program that it executed first. */
  name: string | undefined
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

/** A program that a step executed, however often. */
export interface CollectedExecutable {
  readonly path: string
  readonly step: string
  count: number
}

/** Most of what is kept. */
export interface CollectorLimits {
  readonly maxProcesses?: number
  readonly maxActivities?: number
  readonly maxTextChars?: number
}

/** Collects what the processes of a command did, in bounded memory. */
export class Collector {
  /** Processes without a parent among them, in the order of their begin. */
  readonly roots: Node[] = []
  /** Processes that began, and of those the ones that are not kept. */
  begun = 0
  leftOut = 0
  activitiesLeftOut = 0
  /** Commands of which only the name is kept. */
  commandsLeftOut = 0
  /** Files that were created and removed where temporary files are; nothing else is kept of them. */
  temporary = 0
  lost = 0
  beginNs: bigint | undefined
  endNs: bigint | undefined
  readonly #limits: Required<CollectorLimits>
  readonly #nodes: Node[] = []
  readonly #byPid = new Map<number, Node>()
  /** By type, process and target. */
  readonly #activities = new Map<number, CollectedActivity>()
  readonly #types = new Map<ActivityType, number>()
  /** Files that were created where temporary ones are: the numbers of their activities, by target. */
  readonly #temporary = new Map<number, number[]>()
  readonly #executables = new Map<string, CollectedExecutable>()
  readonly #numbers = new Map<Node, number>()
  readonly #specs: ReadonlyMap<string, EventSpec>
  readonly #texts: Texts

  constructor(specs: readonly EventSpec[], limits: CollectorLimits = {}) {
    this.#specs = new Map(specs.map((spec) => [spec.kind, spec]))
    const { maxProcesses = MAX_PROCESSES, maxActivities = MAX_ACTIVITIES, maxTextChars } = limits
    this.#texts = new Texts(maxTextChars)
    this.#limits = { maxProcesses, maxActivities, maxTextChars: maxTextChars ?? 0 }
  }

  /** Processes in the order of their begin. */
  get nodes(): readonly Node[] {
    return this.#nodes
  }

  /** In the order of their first time. */
  get activities(): Iterable<CollectedActivity> {
    return this.#activities.values()
  }

  get executables(): Iterable<CollectedExecutable> {
    return this.#executables.values()
  }

  /** Takes in an event of the command. */
  add(event: ReportedEvent): void {
    if (event.kind === 'lost') {
      this.lost += (event as unknown as { readonly count: number }).count
      return
    }
    this.beginNs ??= event.timeNs
    if (this.endNs === undefined || event.timeNs > this.endNs) this.endNs = event.timeNs
    const { process, actions } = event
    const node = process === undefined ? undefined : this.#nodeOf(process, event.timeNs, actions)
    const activities = this.#specs.get(event.kind)?.activities?.(event)
    if (activities === undefined || node === undefined) return
    for (const activity of activities) this.#take(activity, node, event.timeNs)
  }

  /** The process of an event, with what the event says of it. */
  #nodeOf(
    process: ReportedProcess,
    timeNs: bigint,
    actions: readonly string[] | undefined,
  ): Node | undefined {
    const begins = actions?.[0] === 'fork'
    if (begins) this.begun += 1
    let node = this.#byPid.get(process.pid)
    if (node === undefined || begins) node = this.#begin(process, timeNs)
    if (node !== undefined) this.#update(node, process, timeNs, actions?.includes('exec') === true)
    return node
  }

  #begin(process: Process, timeNs: bigint): Node | undefined {
    if (this.#nodes.length >= this.#limits.maxProcesses) {
      // What has its pid from now on is another process.
      this.#byPid.delete(process.pid)
      this.leftOut += 1
      return undefined
    }
    const parent = this.#byPid.get(process.creatorPid ?? process.ppid ?? 0)
    const node: Node & { part: Node } = {
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
      step: parent?.step,
      part: undefined as unknown as Node,
      name: undefined,
    }
    node.part = parent?.parent === undefined ? node : parent.part
    this.#byPid.set(process.pid, node)
    this.#numbers.set(node, this.#nodes.length)
    this.#nodes.push(node)
    if (parent === undefined) this.roots.push(node)
    else parent.children.push(node)
    return node
  }

  #update(node: Node, process: ReportedProcess, timeNs: bigint, hasExecuted: boolean): void {
    const { exe, exitTimeNs, exitCode, exitSignal, usage } = process
    node.comm = process.comm
    if (node.command === '' || hasExecuted) {
      node.step = stepIn(process) ?? node.step
      const command = this.#kept(commandOf(process))
      if (command === undefined) this.commandsLeftOut += 1
      node.command = command ?? process.comm ?? '(unknown)'
      node.exe = exe === undefined ? undefined : this.#kept(exe.slice(0, MAX_CHARS))
      if (hasExecuted) node.name ??= this.#kept(nameOf(process))
      if (hasExecuted && node.exe !== undefined) this.#executed(node.exe, stepOf(node).name)
    }
    if (exitTimeNs === undefined && exitCode === undefined && exitSignal === undefined) return
    node.endNs = exitTimeNs ?? timeNs
    node.exitCode = exitCode
    node.exitSignal = exitSignal
    if (usage !== undefined) node.cpuNs = Number(usage.userTimeNs) + Number(usage.systemTimeNs)
  }

  /** The text as it is kept already, or from now on; undefined if there is no room. */
  #kept(text: string): string | undefined {
    const number = this.#texts.keep(text)
    return number === undefined ? undefined : this.#texts.at(number)
  }

  #executed(path: string, step: string): void {
    const key = `${step}\0${path}`
    const known = this.#executables.get(key)
    if (known !== undefined) known.count += 1
    else if (this.#executables.size < this.#limits.maxActivities && this.#kept(key) !== undefined)
      this.#executables.set(key, { path, step, count: 1 })
    else this.activitiesLeftOut += 1
  }

  #take(activity: Activity, by: Node, timeNs: bigint): void {
    const target = this.#texts.keep(activity.target.slice(0, MAX_CHARS))
    if (target === undefined) {
      this.activitiesLeftOut += 1
      return
    }
    if (this.#isTemporary(activity, target)) return
    const number = this.#numberOf(activity.what, by, target)
    const known = this.#activities.get(number)
    if (known !== undefined) {
      this.#texts.release(target)
      this.#again(known, activity, timeNs)
      return
    }
    if (this.#activities.size >= this.#limits.maxActivities) {
      this.#texts.release(target)
      this.activitiesLeftOut += 1
      return
    }
    const { what } = activity
    const first = {
      what,
      target: this.#texts.at(target),
      by,
      timeNs,
      lastNs: timeNs,
      details: new Set<string>(),
      count: 0,
      failed: 0,
      sentBytes: 0,
      receivedBytes: 0,
    }
    this.#activities.set(number, first)
    this.#again(first, activity, timeNs)
    if (what === 'created' && TEMPORARY.test(first.target)) this.#temporary.set(target, [number])
    else if (what === 'changed') this.#temporary.get(target)?.push(number)
  }

  /** A temporary file that is removed was never there. */
  #isTemporary({ what }: Activity, target: number): boolean {
    if (what !== 'removed') return false
    const numbers = this.#temporary.get(target)
    if (numbers === undefined) return false
    this.#temporary.delete(target)
    this.temporary += 1
    this.#texts.release(target)
    for (const number of numbers) {
      this.#activities.delete(number)
      this.#texts.release(target)
    }
    return true
  }

  #numberOf(what: ActivityType, by: Node, target: number): number {
    let type = this.#types.get(what)
    if (type === undefined) this.#types.set(what, (type = this.#types.size))
    return (target * MAX_PROCESSES + (this.#numbers.get(by) as number)) * MAX_TYPES + type
  }

  #again(known: CollectedActivity, activity: Activity, timeNs: bigint): void {
    const { detail, failed, sentBytes = 0, receivedBytes = 0 } = activity
    known.count += 1
    known.lastNs = timeNs
    if (failed === true) known.failed += 1
    known.sentBytes += sentBytes
    known.receivedBytes += receivedBytes
    if (detail === undefined || known.details.size >= MAX_DETAILS) return
    const short = detail.slice(0, MAX_DETAIL_CHARS)
    if (known.details.has(short)) return
    const kept = this.#kept(short)
    if (kept !== undefined) known.details.add(kept)
  }
}

/** Most programs are started by no script of a package, and their environments are long. */
function stepIn(process: ReportedProcess): Step | undefined {
  if (process.isInEnv?.(VARIABLES) === false) return undefined
  return process.env === undefined ? undefined : packageOf(process.env)
}

function commandOf({ argv, exe, comm }: Process): string {
  if (argv === undefined || argv.length === 0)
    return exe === undefined && comm === undefined ? '(unknown)' : shellWord((exe ?? comm) as string)
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
export function stepOf({ step, part }: Node): Step {
  return step ?? { name: part.name ?? part.parent?.name ?? part.comm ?? '(unknown)' }
}

/** What runs scripts: those are who does it. */
const INTERPRETER = /^(?:node|nodejs|bun|deno|python[\d.]*|ruby[\d.]*|perl[\d.]*|php[\d.]*|(?:ba|da|z|k)?sh)$/

/** The name of a program, or of the script that it runs, also through env(1) as in the first lines of scripts. */
function nameOf({ exe, comm, argv = [] }: Process): string {
  let name = exe === undefined ? (comm ?? '(unknown)') : baseOf(exe)
  let at = 0
  if (name === 'env') {
    const program = argv.findIndex((word, index) => index > 0 && !word.startsWith('-') && !word.includes('='))
    if (program === -1) return name
    at = program
    name = baseOf(argv[at] as string)
  }
  const script = argv[at + 1] ?? '-'
  return INTERPRETER.test(name) && !script.startsWith('-') ? baseOf(script) : name
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).slice(0, MAX_DETAIL_CHARS)
}
