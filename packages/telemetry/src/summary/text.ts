import { bytesText, durationText } from '../output/amounts.js'
import { sanitise } from '../output/sanitise.js'
import type { CommandSum, ProcessRow, SummaryReport, UserSum } from './summary.js'

/** How a summary is written. */
export interface SummaryTextOptions {
  /** Longer lines are cut; by default none is. */
  readonly columns?: number
  /** Whether headings are bold. Default false. */
  readonly colour?: boolean
}

/** Column where names begin. */
const NAME_COLUMN = 12
const NS_PER_SECOND = 1e9

type Line = readonly [amount: string, name: string]

/** A summary as a table for people, with a line end behind each line. Names are made safe for a terminal. */
export function summaryText(report: SummaryReport, options: SummaryTextOptions = {}): string {
  const { columns = Number.POSITIVE_INFINITY, colour = false } = options
  const lines = [...headLines(report)]
  for (const [title, rows] of sections(report)) {
    if (rows.length === 0) continue
    lines.push('', colour ? `\x1b[1m${title}\x1b[0m` : title)
    for (const [amount, name] of rows)
      lines.push(cut(`${amount.padStart(NAME_COLUMN - 2)}  ${name}`, columns))
  }
  if (report.isCut)
    lines.push('', 'more commands than are kept: small ones are missing, and ~ may be too large')
  return lines.map((line) => `${line}\n`).join('')
}

function headLines(report: SummaryReport): string[] {
  const { processes, seconds, processesPerSecond, execs, failedExecs, lost } = report
  const { began, ended, failed, killed } = processes
  const rate =
    processesPerSecond >= 10 ? countText(Math.round(processesPerSecond)) : processesPerSecond.toFixed(1)
  const parts = [
    `${countText(ended)} ended`,
    `${countText(failed)} failed`,
    `${countText(killed)} killed`,
    `${countText(execs)} execs`,
    ...(failedExecs === undefined ? [] : [`${countText(failedExecs)} failed execs`]),
  ]
  return [
    `${countText(began)} ${began === 1 ? 'process' : 'processes'} in ${secondsText(seconds)} (${rate} per second)`,
    parts.join(', '),
    lost === 0
      ? 'nothing was lost'
      : `${countText(lost)} records were lost: some of what follows is too small`,
  ]
}

function sections(report: SummaryReport): [title: string, rows: Line[]][] {
  const { mostRuns, mostTime, longest, mostCpu = [], mostMemory = [], mostFailed, users } = report
  return [
    ['Ran most', mostRuns.map((row) => commandLine(row, countText))],
    ['Took most time, all processes together', mostTime.map((row) => commandLine(row, secondsText))],
    ['Took longest', longest.map((row) => processLine(row, secondsText))],
    ['Used most CPU, all processes together', mostCpu.map((row) => commandLine(row, secondsText))],
    ['Used most memory, one process at its peak', mostMemory.map((row) => processLine(row, bytesText))],
    ['Failed most', mostFailed.map((row) => commandLine(row, countText))],
    ['By user', users.map(userLine)],
  ]
}

function commandLine({ command, value, errorAtMost }: CommandSum, textOf: (value: number) => string): Line {
  return [`${errorAtMost === undefined ? '' : '~'}${textOf(value)}`, sanitise(command)]
}

function processLine(row: ProcessRow, textOf: (value: number) => string): Line {
  const { pid, command, value } = row
  // Words of a shell are safe for a terminal.
  const shown = row.arguments === undefined || row.arguments === '' ? sanitise(command) : row.arguments
  return [textOf(value), `pid ${pid}  ${shown}`]
}

function userLine({ uid, name, processes, errorAtMost, cpuSeconds }: UserSum): Line {
  const who = name === undefined ? `uid ${uid}` : `${sanitise(name)} (uid ${uid})`
  const cpu = cpuSeconds === undefined ? '' : `, ${secondsText(cpuSeconds)} of CPU`
  return [`${errorAtMost === undefined ? '' : '~'}${countText(processes)}`, `${who}${cpu}`]
}

function secondsText(seconds: number): string {
  return durationText(seconds * NS_PER_SECOND)
}

/** A whole number with commas between thousands, whatever the locale. */
export function countText(count: number): string {
  return `${count}`.replace(/\B(?=(\d{3})+$)/g, ',')
}

function cut(line: string, columns: number): string {
  return line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`
}
