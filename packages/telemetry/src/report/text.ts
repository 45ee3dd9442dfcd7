/** A report as text for a terminal, and as Markdown for the summary of a CI job. */

import { ACTIVITIES, type ActivityType } from '../event/activity-spec.js'
import { bytesText as sizeText, countText, durationText } from '../output/amounts.js'
import { signalName } from '../output/names.js'
import { sanitise } from '../output/sanitise.js'
import { folderRows } from './folders.js'
import type { ReportedActivity, ReportedProcess, RunReport } from './report.js'

/** Rows of each list, of the tree, and of the children of one process in it. */
const ROWS = 20
const TREE_ROWS = 60
const CHILD_ROWS = 12
const TREE_DEPTH = 20
/** Of a command, a path or a name. */
const TEXT_CHARS = 120
const LIMIT_CHARS = 500
const LIMITS = 'What cannot be seen on this machine'
const FILES: ReadonlySet<ActivityType> = new Set(['created', 'changed', 'removed'])

/** The report as text. */
export function reportText(report: RunReport): string {
  const parts = sectionsOf(report).map(
    ({ title, rows }) => `\n${title}\n${rows.map((row) => `  ${row}\n`).join('')}`,
  )
  return `${commandOf(report)}: ${endOf(report)}\n${parts.join('')}\n${limitsText(report)}${proofOf(report)}\n`
}

/** The report as Markdown. What is in it of names and paths is in code, so that nothing of it is read as Markdown. */
export function reportMarkdown(report: RunReport): string {
  const { limits } = report
  const parts = [
    ...sectionsOf(report),
    ...(limits.length === 0 ? [] : [{ title: LIMITS, rows: limited(limits.map(cutRow)), isFolded: true }]),
  ].map(({ title, rows, isFolded }) =>
    isFolded === true
      ? `\n<details><summary>${title}</summary>\n\n${block(rows.join('\n'))}\n\n</details>\n`
      : `\n### ${title}\n\n${rows.map((row) => `- ${code(row)}\n`).join('')}`,
  )
  return `## ${code(commandOf(report))}: ${endOf(report)}\n\n${proofOf(report, code)}\n${parts.join('')}`
}

/** Text between backticks, with more of them than it has itself. */
function code(text: string): string {
  const ticks = '`'.repeat(longestTicks(text) + 1)
  return `${ticks}${text.startsWith('`') ? ' ' : ''}${text}${text.endsWith('`') ? ' ' : ''}${ticks}`
}

function block(text: string): string {
  const fence = '`'.repeat(Math.max(3, longestTicks(text) + 1))
  return `${fence}text\n${text}\n${fence}`
}

function longestTicks(text: string): number {
  return Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length))
}

interface Section {
  readonly title: string
  readonly rows: readonly string[]
  /** In Markdown a reader opens it. */
  readonly isFolded?: boolean
}

function commandOf({ command }: RunReport): string {
  return command === undefined ? 'The run' : sanitise(cut(command.join(' ')))
}

function endOf({ exitCode, exitSignal, seconds }: RunReport): string {
  const end =
    exitSignal === undefined
      ? exitCode === undefined
        ? ''
        : `exit ${exitCode}, `
      : `killed by ${signalName(exitSignal) ?? exitSignal}, `
  return `${end}${timeText(seconds)}`
}

/** How sure it is that nothing is missing. */
function proofOf(
  { processes: { created, seen }, isComplete, missing }: RunReport,
  mark: (text: string) => string = (text) => text,
): string {
  if (!isComplete) {
    return `The report may not be complete: ${missing
      .slice(0, ROWS)
      .map((reason) => mark(cutRow(reason)))
      .join('; ')}.`
  }
  if (created === undefined) return `${processesText(seen)} seen; nothing was lost.`
  return `${processesText(created)} created = ${countText(seen)} seen; nothing was lost.`
}

/** What asks for attention first, then with whom and where, then how it went. */
function sectionsOf(report: RunReport): Section[] {
  const { activities, leftOut, newBehaviour = [], running, slowestPath, steps, tree } = report
  return [
    { title: 'Not in the baseline', rows: limited(newBehaviour.map(newRow)) },
    { title: 'Still running', rows: limited(running.map(processRow), leftOut.running) },
    ...(Object.keys(ACTIVITIES) as ActivityType[]).map((what) => ({
      title: FILES.has(what) ? `${ACTIVITIES[what]} outside of the working directory` : ACTIVITIES[what],
      rows: activityRows(what, activities, leftOut[what]),
    })),
    { title: 'Other files', rows: otherFiles(report) },
    { title: 'Steps', rows: steps.length > 1 ? limited(steps.map(stepRow), leftOut.steps) : [] },
    { title: 'Slowest path', rows: slowestPath.length > 2 ? limited(slowestPath.map(processRow)) : [] },
    { title: 'Processes', rows: treeRows(tree, leftOut.tree), isFolded: true },
  ].filter(({ rows }) => rows.length > 0)
}

/** Where all of them are: here they would be longer than what happened. */
function limitsText({ limits }: RunReport): string {
  if (limits.length === 0) return ''
  return `${LIMITS}: ${countText(limits.length)} things, which quark-mon doctor and the JSON of the report explain.\n`
}

function cutRow(text: string): string {
  return sanitise(cut(text, LIMIT_CHARS))
}

function otherFiles({ filesInside, filesTemporary }: RunReport): string[] {
  return [
    ...(filesInside === 0
      ? []
      : [`${countText(filesInside)} in the working directory were created, changed or removed`]),
    ...(filesTemporary === 0 ? [] : [`${countText(filesTemporary)} were created and removed again`]),
  ]
}

const WORDS = { executables: 'ran', hosts: 'contacted', paths: 'touched' } as const

function newRow({ step, isNewStep, what, value }: NonNullable<RunReport['newBehaviour']>[number]): string {
  return sanitise(`${isNewStep ? 'new step ' : ''}${cut(step)} ${WORDS[what]} ${cut(value)}`)
}

function activityRows(
  what: ActivityType,
  activities: RunReport['activities'],
  leftOut: number | undefined,
): string[] {
  const all = activities[what] ?? []
  if (FILES.has(what)) return fileRows(all, leftOut)
  if (what !== 'lookedUp') return limited(all.map(activityRow), leftOut)
  // Those of hosts that were contacted stand there.
  const hosts = new Set(
    (activities.contacted ?? []).map(({ target }) => target.replace(/:\d+(?:\/udp)?$/, '')),
  )
  const others = all.filter(({ target }) => !hosts.has(target))
  const known = all.length - others.length
  const more = others.length === 0 ? [] : known === 0 ? [] : [`and ${countText(known)} that were contacted`]
  return [...limited(others.map(activityRow), leftOut), ...more]
}

function fileRows(all: readonly ReportedActivity[], leftOut = 0): string[] {
  const rows = folderRows(all, ({ target }) => target, ROWS).map(({ path, count, entries }) => {
    if (count === 1) return activityRow(entries[0] as ReportedActivity)
    const steps = [...new Set(entries.flatMap((entry) => entry.steps))]
    return `${sanitise(cut(path))}: ${countText(count)} files by ${stepsText(steps)}`
  })
  return leftOut === 0 ? rows : [...rows, moreRow(leftOut)]
}

function activityRow({
  target,
  details = [],
  count,
  failed = 0,
  sentBytes,
  receivedBytes,
  steps,
}: ReportedActivity): string {
  const [detail] = details
  const notes = [
    ...(count === 1 ? [] : [`${countText(count)} times`]),
    ...(failed === 0 ? [] : [failed === count ? 'failed' : `${countText(failed)} failed`]),
    ...(sentBytes === undefined ? [] : [`sent ${sizeText(sentBytes)}`]),
    ...(receivedBytes === undefined ? [] : [`received ${sizeText(receivedBytes)}`]),
  ]
  const of = detail === undefined ? '' : ` (${cut(detail)}${details.length > 1 ? ', …' : ''})`
  const noted = notes.length === 0 ? '' : `: ${notes.join(', ')}`
  return `${sanitise(`${cut(target)}${of}`)}${noted} by ${stepsText(steps)}`
}

function stepsText(steps: readonly string[]): string {
  return (
    sanitise(
      steps
        .slice(0, 3)
        .map((step) => cut(step))
        .join(', '),
    ) + (steps.length > 3 ? ', …' : '')
  )
}

/** The tree; of many children of one process, those that failed, and the longest. */
function treeRows(tree: readonly ReportedProcess[], leftOut = 0): string[] {
  const rows: string[] = []
  let hidden = leftOut
  const add = (process: ReportedProcess, depth: number): void => {
    if (rows.length >= TREE_ROWS) {
      hidden += sizeOf(process)
      return
    }
    const indent = '  '.repeat(Math.min(depth, TREE_DEPTH))
    rows.push(`${indent}${processRow(process)}`)
    const { children = [] } = process
    const shown = children.length <= CHILD_ROWS ? children : mostNotable(children)
    for (const child of shown) add(child, depth + 1)
    if (shown.length === children.length || rows.length >= TREE_ROWS) return
    const others = children.filter((child) => !shown.includes(child))
    rows.push(`${indent}  … ${countText(others.reduce((sum, child) => sum + sizeOf(child), 0))} more`)
  }
  for (const process of tree) add(process, 0)
  return hidden === 0 ? rows : [...rows, moreRow(hidden)]
}

function sizeOf({ children = [] }: ReportedProcess): number {
  return children.reduce((sum, child) => sum + sizeOf(child), 1)
}

function mostNotable(processes: readonly ReportedProcess[]): readonly ReportedProcess[] {
  const rank = ({ exitCode = 0, exitSignal, seconds }: ReportedProcess): number =>
    (exitCode !== 0 || exitSignal !== undefined ? 1e9 : 0) + (seconds ?? 1e8)
  const chosen = new Set(processes.toSorted((a, b) => rank(b) - rank(a)).slice(0, CHILD_ROWS - 1))
  return processes.filter((process) => chosen.has(process))
}

function processRow({ command, seconds, exitCode, exitSignal }: ReportedProcess): string {
  const notes = [
    ...(seconds === undefined ? ['still running'] : [timeText(seconds)]),
    ...(exitCode === undefined || exitCode === 0 ? [] : [`exit ${exitCode}`]),
    ...(exitSignal === undefined ? [] : [`killed by ${signalName(exitSignal) ?? exitSignal}`]),
  ]
  return `${cut(command)} # ${notes.join(', ')}`
}

function stepRow({ name, version, processes, failed, seconds }: RunReport['steps'][number]): string {
  const of = version === undefined ? '' : ` (${cut(version)})`
  const failedText = failed === 0 ? '' : `, ${countText(failed)} failed`
  return `${sanitise(`${cut(name)}${of}`)}: ${processesText(processes)}${failedText}, ${timeText(seconds)}`
}

function processesText(count: number): string {
  return `${countText(count)} ${count === 1 ? 'process' : 'processes'}`
}

function limited(rows: readonly string[], leftOut = 0): string[] {
  const hidden = Math.max(0, rows.length - ROWS) + leftOut
  return hidden === 0 ? [...rows] : [...rows.slice(0, ROWS), moreRow(hidden)]
}

function moreRow(count: number): string {
  return `… ${countText(count)} more`
}

function cut(text: string, chars = TEXT_CHARS): string {
  return text.length <= chars ? text : `${text.slice(0, chars - 1)}…`
}

function timeText(seconds: number): string {
  return durationText(seconds * 1e9)
}
