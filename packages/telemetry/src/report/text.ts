/** A report as text for a terminal, and as Markdown for the summary of a CI job. */

import { ACTIVITIES, type ActivityType } from '../event/activity-spec.js'
import { bytesText as sizeText, countText, durationText } from '../output/amounts.js'
import { signalName } from '../output/names.js'
import { sanitise } from '../output/sanitise.js'
import type { NewBehaviour } from './baseline.js'
import type { ReportedActivity, ReportedProcess, RunReport } from './report.js'

/** Rows of each list, and of the tree. */
const ROWS = 40
const TREE_ROWS = 60
const COMMAND_CHARS = 120

/** The report as text. */
export function reportText(report: RunReport, news: readonly NewBehaviour[] = []): string {
  const parts = sectionsOf(report, news).map(
    ({ title, rows }) => `\n${title}\n${rows.map((row) => `  ${row}\n`).join('')}`,
  )
  return `${headingOf(report)}\n${parts.join('')}\n${proofOf(report)}\n`
}

/** The report as Markdown. */
export function reportMarkdown(report: RunReport, news: readonly NewBehaviour[] = []): string {
  const parts = sectionsOf(report, news).map(
    ({ title, rows, isTree }) =>
      `\n### ${title}\n\n${isTree ? `\`\`\`\`text\n${rows.join('\n').replaceAll('```', "'''")}\n\`\`\`\`\n` : rows.map((row) => `- ${code(row)}\n`).join('')}`,
  )
  return `## ${code(headingOf(report))}\n${parts.join('')}\n${proofOf(report)}\n`
}

/** Text between backticks, with more of them than it has itself. */
function code(text: string): string {
  const runs = text.match(/`+/g) ?? []
  const ticks = '`'.repeat(Math.max(0, ...runs.map((run) => run.length)) + 1)
  return `${ticks}${text.startsWith('`') ? ' ' : ''}${text}${text.endsWith('`') ? ' ' : ''}${ticks}`
}

interface Section {
  readonly title: string
  readonly rows: readonly string[]
  readonly isTree?: boolean
}

function headingOf({ command, exitCode, exitSignal, seconds }: RunReport): string {
  const what = command === undefined ? 'The run' : cut(command.map(sanitise).join(' '))
  const end =
    exitSignal === undefined
      ? exitCode === undefined
        ? ''
        : `exit ${exitCode}, `
      : `killed by ${signalName(exitSignal) ?? exitSignal}, `
  return `${what}: ${end}${timeText(seconds)}`
}

/** How sure it is that nothing is missing. */
function proofOf({ processes: { created, seen }, isComplete, missing }: RunReport): string {
  const seenText = `${countText(seen)} ${seen === 1 ? 'process' : 'processes'}`
  if (!isComplete) return `The report may not be complete: ${missing.map(sanitise).join('; ')}.`
  if (created === undefined) return `${seenText} seen; nothing was lost.`
  return `${countText(created)} created = ${countText(seen)} seen; nothing was lost.`
}

function sectionsOf(report: RunReport, news: readonly NewBehaviour[]): Section[] {
  const { tree, slowest, steps, activities, limits } = report
  return [
    { title: 'Not in the baseline', rows: newRows(news) },
    { title: 'Processes', rows: treeRows(tree), isTree: true },
    { title: 'Slowest path', rows: slowest.length > 1 ? slowest.map((process) => processRow(process)) : [] },
    { title: 'Steps', rows: steps.length > 1 ? limited(steps.map(stepRow), ROWS) : [] },
    ...(Object.keys(ACTIVITIES) as ActivityType[]).map((what) => ({
      title: titleOf(what),
      rows: limited((activities[what] ?? []).map(activityRow), ROWS),
    })),
    { title: 'Other files', rows: otherFiles(report) },
    {
      title: 'What cannot be seen on this machine',
      rows: limited(
        limits.map((limit) => sanitise(limit)),
        ROWS,
      ),
    },
  ].filter(({ rows }) => rows.length > 0)
}

function otherFiles({ filesInside, filesTemporary }: RunReport): string[] {
  return [
    ...(filesInside === 0
      ? []
      : [`${countText(filesInside)} in the working directory were created, changed or removed`]),
    ...(filesTemporary === 0 ? [] : [`${countText(filesTemporary)} were created and removed again`]),
  ]
}

function titleOf(what: ActivityType): string {
  const isFile = what === 'created' || what === 'changed' || what === 'removed'
  return isFile ? `${ACTIVITIES[what]} outside of the working directory` : ACTIVITIES[what]
}

function newRows(news: readonly NewBehaviour[]): string[] {
  return limited(
    news.map(({ step, isNewStep, what, value }) =>
      sanitise(`${isNewStep ? 'new step ' : ''}${step}: ${WORDS[what]} ${value}`),
    ),
    ROWS,
  )
}

const WORDS = { executables: 'ran', hosts: 'contacted', paths: 'touched' } as const

function treeRows(tree: readonly ReportedProcess[]): string[] {
  const rows: string[] = []
  let count = 0
  const add = (process: ReportedProcess, depth: number): void => {
    count += 1
    if (count <= TREE_ROWS) rows.push(`${'  '.repeat(Math.min(depth, 20))}${processRow(process)}`)
    for (const child of process.children ?? []) add(child, depth + 1)
  }
  for (const process of tree) add(process, 0)
  if (count > TREE_ROWS) rows.push(`… ${countText(count - TREE_ROWS)} more`)
  return rows
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
  const of = version === undefined ? '' : ` (${version})`
  const failedText = failed === 0 ? '' : `, ${countText(failed)} failed`
  return `${sanitise(`${name}${of}`)}: ${countText(processes)} ${processes === 1 ? 'process' : 'processes'}${failedText}, ${timeText(seconds)}`
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
  const of = detail === undefined ? '' : ` (${detail}${details.length > 1 ? ', …' : ''})`
  const by = steps.slice(0, 3).join(', ') + (steps.length > 3 ? ', …' : '')
  return sanitise(`${cut(target)}${of}${notes.length === 0 ? '' : `: ${notes.join(', ')}`} by ${by}`)
}

function limited(rows: readonly string[], most: number): string[] {
  return rows.length <= most ? [...rows] : [...rows.slice(0, most), `… ${countText(rows.length - most)} more`]
}

function cut(text: string): string {
  return text.length <= COMMAND_CHARS ? text : `${text.slice(0, COMMAND_CHARS - 1)}…`
}

function timeText(seconds: number): string {
  return durationText(seconds * 1e9)
}
