import { openSync, writeFileSync } from 'node:fs'
import { type Capabilities, type QuarkStats, processGraph, Quark, RuleError } from 'quark-telemetry'
import { EXIT_USAGE, isUsageError, UsageError } from './arguments.js'
import { asciicast } from './commands/asciicast.js'
import { rules } from './commands/rules.js'
import { benchmark } from './commands/benchmark.js'
import { BUFFER_GRAPH_FILES, drawBuffer, holdingOptions } from './commands/buffer-graph.js'
import { runCompletions } from './commands/completions.js'
import { EXIT_STATUSES } from './exit-status.js'
import { checkFiles } from './files.js'
import { doctor } from './commands/doctor.js'
import { watchAndSummarise } from './commands/summarise.js'
import { helpText } from './help.js'
import {
  finish,
  type Io,
  isStuck,
  openOutput,
  Output,
  PIECE_CHARS,
  print,
  reopenFile,
  wantsColour,
} from './io.js'
import { inCommandWords } from './library-options.js'
import { growForCommand, growYoungEachSecond, tidyMemory } from './memory.js'
import type { MetricsAddress } from './metrics/address.js'
import type { Metrics } from './metrics/open.js'
import { parseCommandLine } from './parse.js'
import { becomeNobody } from './privileges.js'
import {
  capabilitiesText,
  errorText,
  filterText,
  lossText,
  missingText,
  statsText,
  withoutProcText,
} from './report.js'
import { CommandRun } from './run/command-run.js'
import { endAs } from './run/end-as.js'
import { HeldCommand } from './run/held-command.js'
import { CommandError, STATUS_FAILED } from './run/program.js'
import { flushed, separateStandardError } from './run/standard-error.js'
import { Reporter } from './run/reporter.js'
import { parseStartState, START_VARIABLE } from './run/start-state.js'
import { Tally } from './run/tally.js'
import { onProcessesEnd, onTreeEnd } from './run/tree-end.js'
import { isRotated, RotatedFile } from './rotation.js'
import { problemsText } from './rule-file.js'
import { hasTerminal, RulesInUse } from './rules-in-use.js'
import type { Settings } from './settings.js'
import { terminalOf } from './terminal.js'
import { isReaderGone, recordToOutput, replaySource } from './standard-streams.js'
import { packageVersion } from './version.js'

/** How often the age of a file is looked at that is not written to. */
const AGE_LOOK_MS = 1000
/** From this verbosity on, errors are written with their stacks. */
const STACK_VERBOSITY = 2

/**
 * Runs the command.
 *
 * @param args what follows the name of the command
 * @returns the exit code
 */
export async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--')) separateStandardError()
  // A closed standard error cannot be reported anywhere.
  process.stderr.on('error', () => {})
  const [command, ...rest] = args
  if (command === 'run') return await main(['--report', ...rest])
  if (command === 'doctor') return doctor(rest)
  if (command === 'rules') return rules(rest)
  if (command === 'completions') return runCompletions(rest)
  if (command === 'asciicast') return asciicast(rest)
  let verbosity = 0
  try {
    const invocation = parseCommandLine(args)
    if (invocation.show !== 'events') {
      await print(
        invocation.show === 'help'
          ? helpText(process.stdout.columns ?? 80)
          : `quark-mon ${packageVersion()}\n`,
      )
      return 0
    }
    verbosity = invocation.settings.verbosity
    const { settings } = invocation
    if (settings.command !== undefined) return await runCommand(settings, settings.command)
    return await run(settings).catch((error: unknown) => {
      if (!isReaderGone(error, settings)) throw error
      return 0
    })
  } catch (error) {
    process.stderr.write(
      error instanceof RuleError
        ? problemsText(error)
        : errorText(inCommandWords(error), verbosity >= STACK_VERBOSITY),
    )
    // The process would not exit while output waits for the reader.
    if (isStuck(error)) process.exit(1)
    if (error instanceof DegradedError) return EXIT_DEGRADED
    return isUsageError(error) ? EXIT_USAGE : EXIT_STATUSES.failed.status
  }
}

/** What a run ends with that missed or lost something, with --strict, in place of 0. */
export const EXIT_DEGRADED = EXIT_STATUSES.degraded.status

/** What a run ends with in which a rule with the action fail has matched, in place of 0. */
export const EXIT_RULES = EXIT_STATUSES.rules.status

/** Facts are missing, and the run was to fail then. */
class DegradedError extends Error {
  override readonly name = 'DegradedError'

  constructor(missing: string) {
    const facts = missing.replaceAll(/^quark-mon: /gm, '').trimEnd()
    super(
      `Cannot learn all that --strict asks for (without it, the run is as complete as it can be):\n${facts}`,
    )
  }
}

/** Watches a command, and ends as it does. Returns a status only if it was not run. */
async function runCommand(settings: Settings, argv: readonly string[]): Promise<number> {
  const report = (error: unknown): void =>
    void process.stderr.write(errorText(inCommandWords(error), settings.verbosity >= STACK_VERBOSITY))
  let command: CommandRun
  try {
    const state = parseStartState(process.env[START_VARIABLE])
    const held = await HeldCommand.start({ argv, user: settings.commandUser }, state)
    command = new CommandRun(held, (text) => void process.stderr.write(text))
  } catch (error) {
    report(error)
    return error instanceof CommandError ? error.status : STATUS_FAILED
  }
  let status = 0
  try {
    status = await run(settings, command)
  } catch (error) {
    report(error)
    if (error instanceof CommandError || !command.isReleased) {
      command[Symbol.dispose]()
      return error instanceof CommandError ? error.status : STATUS_FAILED
    }
    // What fails from here on is no reason to end the command.
  }
  return endWith(command, status, report)
}

/** Waits for the end of a command, and ends this process as it has ended. Returns a status if that is not known. */
async function endWith(
  command: CommandRun,
  status: number,
  report: (error: unknown) => void,
): Promise<number> {
  let ending
  try {
    ending = await command.end()
  } catch (error) {
    report(error)
    return STATUS_FAILED
  }
  await flushed(process.stderr)
  if (status !== 0 && ending.code === 0) return status
  endAs(ending)
}

/** Runs until the end; the result is the exit code of what was watched. */
async function run(settings: Settings, command?: CommandRun): Promise<number> {
  recordToOutput(settings)
  checkFiles(settings)
  let isDegraded = false
  const ending = new AbortController()
  const { signal } = ending
  const end = (): void => ending.abort()
  const hurrying = new AbortController()
  const endSoon = (): void => {
    hurrying.abort()
    end()
  }
  // The first signal ends the run and removes the handlers, so that the second one kills.
  const onSignal = (): void => {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    endSoon()
  }
  if (command === undefined) process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  const rotated = openRotated(settings)
  const stream = rotated?.stream ?? (await openOutput(settings, withTimeLimit(signal, settings.durationMs)))
  if (stream === undefined) return 0
  let rules: RulesInUse | undefined
  const output = new Output(stream, endSoon, rotated && ((bytes) => rotated.next(bytes)))
  const reopenAll = (): boolean => {
    const isReloaded = rules?.reload() === true
    return (settings.output !== undefined && reopen(settings.output, output, rotated)) || isReloaded
  }
  // Whose terminal was closed has nobody left to read standard output.
  const hadTerminal = settings.output === undefined && hasTerminal()
  const onHangUp = (): void => {
    if (!reopenAll() || (hadTerminal && !hasTerminal())) onSignal()
  }
  if (command === undefined) process.on('SIGHUP', onHangUp)
  else command.watching = { end: endSoon, reopen: reopenAll }
  const screen = command === undefined ? process.stdout : process.stderr
  const io: Io = {
    write: (text) => output.write(text, signal),
    count: settings.metrics && ((batch) => metrics?.count(batch)),
    begin: (text, further) => {
      if (rotated !== undefined) rotated.headBytes = Buffer.byteLength(further)
      return output.begin(text, further, signal)
    },
    pieceChars: Math.min(PIECE_CHARS, rotated?.pieceChars ?? Number.POSITIVE_INFINITY),
    note: (text) => void process.stderr.write(text),
    lose: (text, isSilent = false) => {
      isDegraded ||= text !== ''
      if (!isSilent) process.stderr.write(text)
    },
    colour: wantsColour(settings.colour, process.env, settings.output === undefined && screen.isTTY),
    terminal: settings.output === undefined ? terminalOf(screen, process.env) : undefined,
    signal,
    hurry: hurrying.signal,
  }
  // Files are opened here: later, the directory or the rights may be gone.
  const graphFile = settings.processGraph === undefined ? undefined : openSync(settings.processGraph, 'w')
  rules = settings.ruleset === undefined ? undefined : useRules(settings, settings.ruleset, io)
  const tally = new Tally()
  const reporter = settings.commandReport && new Reporter(settings.commandReport, command?.user)
  const show = prepare(settings, io, tally, reporter)
  let hasFailed = false
  let status = 0
  let metrics: Metrics | undefined
  let timer: NodeJS.Timeout | undefined
  const ageTimer = rotated && setInterval(() => output.rotate(), AGE_LOOK_MS).unref()
  let endTidying: (() => void) | undefined
  let endFollowing: (() => void) | undefined
  try {
    // Before rights are given up, and before there is anything that another run at this address would lose.
    metrics = settings.metrics && (await serveMetrics(settings.metrics, settings.replay === undefined))
    await using quark = await openQuark(settings, signal, command?.launcherPid)
    metrics?.watch(quark, output)
    rules?.watch(quark)
    // A replay has no quiet times, and ends by itself.
    if (reporter !== undefined && command !== undefined) endTidying = growForCommand()
    else if (settings.replay === undefined) endTidying = tidyMemory(() => quark.stats().insertions)
    else endTidying = growYoungEachSecond()
    const lost = settings.dropPrivileges ? checkDrop(quark.capabilities) : ''
    const missing = missingText(quark.capabilities) + lost
    if (settings.strict && missing !== '') throw new DegradedError(missing)
    if (settings.dropPrivileges) becomeNobody()
    if (settings.verbosity > 0) io.note(capabilitiesText(quark.capabilities))
    // A report says it at its end.
    io.lose(missing, reporter !== undefined)
    if (settings.durationMs !== undefined) timer = setTimeout(end, settings.durationMs)

    tally.begin()
    endFollowing = await follow(quark, settings, tally, command, end)
    await show(quark)
    if (graphFile !== undefined) writeFileSync(graphFile, processGraph(quark.processes()))
    const stats = quark.stats()
    if (reporter !== undefined) status = await writeReport(reporter, quark, settings, io, command)
    else if (!settings.quiet) {
      const { capabilities } = quark
      const { where } = settings.quark
      const said = command === undefined ? tally.text(stats) : tally.treeText(stats, { capabilities, where })
      const isCounted = settings.format === 'dump' || settings.verbosity > 0 || settings.benchmark
      const sentence = command === undefined && settings.format === 'dump' ? '' : said
      io.note((isCounted ? statsText(stats) : '') + sentence)
    }
    io.lose(lossText(stats, settings.quark))
    if (!settings.quiet) io.note(filterText(stats, settings.quark))
    hasFailed = rules !== undefined && reportRules(rules, io)
  } catch (error) {
    if (!signal.aborted || !(error instanceof Error) || error.name !== 'AbortError') throw error
  } finally {
    clearTimeout(timer)
    clearInterval(ageTimer)
    endTidying?.()
    metrics?.close()
    endFollowing?.()
    if (command !== undefined) command.watching = undefined
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal).off('SIGHUP', onHangUp)
  }
  try {
    await finish(output)
  } catch (error) {
    const { unwrittenLines } = output
    const to = settings.output === undefined ? 'standard output' : settings.output
    io.note(`quark-mon: ${unwrittenLines} lines are not written to ${to}, or not whole\n`)
    throw error
  }
  if (hasFailed) return EXIT_RULES
  if (status !== 0) return status
  return settings.strict && isDegraded ? EXIT_DEGRADED : 0
}

/** Writes the report about a command or a recording; returns the exit code. */
async function writeReport(
  reporter: Reporter,
  quark: Quark,
  { command, replay }: Settings,
  io: Io,
  commandRun: CommandRun | undefined,
): Promise<number> {
  const ending = await commandRun?.ending()
  const run = {
    command,
    isCutShort: commandRun?.isCutShort === true,
    ...(typeof ending?.code === 'number' ? { exitCode: ending.code } : {}),
    ...(typeof ending?.signal === 'number' ? { exitSignal: ending.signal } : {}),
    stats: quark.stats(),
    capabilities: quark.capabilities,
  }
  return reporter.write(run, (text) => (replay === undefined ? io.note(text) : process.stdout.write(text)))
}

/** Reads the rules, before the rights to their file are given up. */
function useRules(settings: Settings, path: string, { note }: Io): RulesInUse {
  const isLive = settings.replay === undefined
  const rules = new RulesInUse({ path, note, isQuiet: settings.quiet, isLive })
  settings.quark.rules = rules.first
  return rules
}

/** Reports what rules are to warn or fail about; whether one is to fail. */
function reportRules(rules: RulesInUse, { note }: Io): boolean {
  const { text, hasFailed } = rules.findings()
  note(text)
  return hasFailed
}

/** What serves metrics is loaded when it is needed. */
async function serveMetrics(address: MetricsAddress, isLive: boolean): Promise<Metrics> {
  const { openMetrics } = await import('./metrics/open.js')
  return openMetrics(address, isLive)
}

function openRotated({ output: path, rotation, truncate }: Settings): RotatedFile | undefined {
  if (path === undefined || !isRotated(rotation)) return undefined
  return new RotatedFile(path, rotation, (error) => process.stderr.write(errorText(error, false)), truncate)
}

function withTimeLimit(signal: AbortSignal, durationMs: number | undefined): AbortSignal {
  return durationMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(durationMs)])
}

/** Opens the output file again, as after a log rotation. */
function reopen(path: string, output: Output, rotated: RotatedFile | undefined): true {
  try {
    output.replace(rotated?.reopen() ?? reopenFile(path))
  } catch (error) {
    process.stderr.write(`quark-mon: goes on with the file that it has\n${errorText(error, false)}`)
  }
  return true
}

/** Lets the command begin, if there is one, and ends the run with it, or with the processes that are followed. */
async function follow(
  quark: Quark,
  settings: Settings,
  tally: Tally,
  command: CommandRun | undefined,
  end: () => void,
): Promise<(() => void) | undefined> {
  const { waits, replay, quark: options } = settings
  const isCaughtUp = (stats: QuarkStats): boolean => tally.isCaughtUp(stats)
  if (command !== undefined) {
    await command.release(() => !waits && end())
    // The launcher is of the tree, too.
    return waits ? onTreeEnd(quark, { others: 1, isCaughtUp }, end) : undefined
  }
  const roots = [options.where?.treeOf ?? []].flat()
  if (roots.length === 0 || replay !== undefined) return undefined
  return waits ? onTreeEnd(quark, { others: 0, isCaughtUp }, end) : onProcessesEnd(quark, roots, end)
}

/**
 * What an open queue loses with its privileges, as lines for a terminal.
 *
 * @throws {UsageError} when it could not be closed without them
 */
function checkDrop({ backend }: Capabilities): string {
  if (backend === 'audit') {
    throw new UsageError(
      'cannot use -D with the backend audit: without privileges its rules would stay behind at the end',
    )
  }
  return backend === 'procConnector' ? withoutProcText() : ''
}

/** Chooses what to do with an open queue, and opens the files that this needs. */
function prepare(
  settings: Settings,
  io: Io,
  tally: Tally,
  reporter?: Reporter,
): (quark: Quark) => Promise<void> {
  const { bufferGraph } = settings
  if (bufferGraph !== undefined) {
    Object.assign(settings.quark, holdingOptions(bufferGraph))
    const files = BUFFER_GRAPH_FILES.map((name) => openSync(name, 'w'))
    return (quark) => drawBuffer(quark, bufferGraph, files, io)
  }
  if (settings.benchmark) return (quark) => benchmark(quark, settings, io)
  return (quark) => watchAndSummarise(quark, settings, io, tally, reporter)
}

function openQuark({ replay, quark }: Settings, signal: AbortSignal, pid?: number): Promise<Quark> {
  if (pid !== undefined) return Quark.open({ ...quark, where: { ...quark.where, treeOf: pid }, signal })
  return replay === undefined
    ? Quark.open({ snapshot: quark.bypass !== true, ...quark, signal })
    : Quark.replay(replay.map(replaySource), { ...quark, signal })
}
