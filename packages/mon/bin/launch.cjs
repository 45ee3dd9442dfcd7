'use strict'

// First of all: the engine answers SIGUSR1 by opening its inspector, through which any user of the machine could run code
// here. Whoever handles the signal keeps it from that. Until this line, some 20 ms after the start, only root and the user
// that the command was started as can send it.
process.on('SIGUSR1', () => {})

const { existsSync, readFileSync, renameSync, statSync, writeFileSync } = require('node:fs')
const Module = require('node:module')
const { dirname, join, resolve } = require('node:path')
const { pathToFileURL } = require('node:url')
const { setFlagsFromString } = require('node:v8')
const { constants, Script } = require('node:vm')

// A monitor makes the same short-lived garbage for as long as it runs. The engine would answer a storm of
// processes with a young generation of tens of megabytes, and give it back late. See also src/memory.ts.
setFlagsFromString('--semi-space-growth-factor=1')
// Little of it survives: waking four threads for each collection costs more than what they take over.
setFlagsFromString('--no-parallel-scavenge')
// Long arguments of others are short-lived garbage, too: the heap is not to grow to a multiple before it is collected.
setFlagsFromString('--heap-growing-percent=40')

const dist = join(__dirname, '../dist')
const workspace = join(__dirname, '../../..')
const isCheckout = existsSync(join(workspace, 'tsconfig.json'))

/**
 * Runs a command: its bundle, which starts faster, or in a checkout whose bundle is older than the build, the
 * modules as they are. A checkout that was never built, since npm was not allowed to run scripts, is built first.
 */
exports.launch = async function launch(command, entry) {
  if (!closeDoors(command)) return
  process.on('uncaughtException', (error) => fail(command, error))
  try {
    const main = join(dist, entry)
    const bundle = join(dist, `${command}.bundle.cjs`)
    if (isCheckout && !existsSync(main)) build(command)
    const { main: run } = isFresh(bundle) ? load(bundle).exports : await import(pathToFileURL(main).href)
    process.exitCode = await run(process.argv.slice(2))
  } catch (error) {
    fail(command, error)
  }
}

/** Ends with what was wrong in one sentence, in place of the engine's stack. */
function fail(command, error) {
  const { code, message = String(error), stack = '' } = error ?? {}
  const isIncomplete = code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND'
  const wantsStack = process.argv.some((arg) => /^-[a-zA-Z]*v[a-zA-Z]*v/.test(arg))
  // Parts of it may be of others, and it goes to a terminal.
  const first = message.split('\n')[0].replaceAll(/\p{Cc}/gu, '?')
  process.stderr.write(
    isIncomplete
      ? `${command}: Cannot start: ${first} (the installation is not complete: install it again)\n`
      : `${command}: ${first} (unexpected: please report it, with what -vv adds)\n`,
  )
  if (wantsStack) process.stderr.write(`${stack}\n`)
  process.exit(1)
}

/** Runs a bundle, which is of ASCII, as `require` would, but with what the engine made of it before, which saves it from parsing all of it. */
function load(bundle) {
  const script = new Script(Module.wrap(readFileSync(bundle, 'latin1')), {
    filename: bundle,
    cachedData: cacheOf(bundle),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  const module = { exports: {} }
  const require = Module.createRequire(bundle)
  script.runInThisContext()(module.exports, require, module, bundle, dirname(bundle))
  return { script, exports: module.exports }
}

/** The engine refuses what other flags made, but not what was made for another processor: that would crash it. */
function cachePathOf(bundle) {
  return `${bundle}.${process.arch}-${process.versions.v8}.cache`
}

function cacheOf(bundle) {
  try {
    return readFileSync(cachePathOf(bundle))
  } catch {
    return undefined
  }
}

/**
 * Writes what the engine makes of a bundle: its functions that run when it is loaded, and in a run with each of these
 * arguments, and where the others are.
 */
async function writeCache(bundle, runs) {
  const { script, exports } = load(bundle)
  for (const args of runs) await exports.main(args)
  const cache = cachePathOf(bundle)
  writeFileSync(`${cache}.new`, script.createCachedData())
  renameSync(`${cache}.new`, cache)
}

/**
 * Closes what the environment may have made the engine open: the inspector (NODE_OPTIONS=--inspect), and reports that it
 * writes by itself. Answers whether the command may go on.
 */
function closeDoors(command) {
  const { report } = process
  report.reportOnSignal = false
  report.reportOnFatalError = false
  report.reportOnUncaughtException = false
  if (!process.execArgv.concat(process.env.NODE_OPTIONS ?? '').some((option) => option.includes('--inspect')))
    return true
  const url = require('node:inspector').url()
  if (url === undefined) return true
  process.stderr.write(
    `${command}: the inspector of Node listens at ${url}, so that any user of this machine could run code here ` +
      '(start it without --inspect, also in NODE_OPTIONS)\n',
  )
  process.exit(1)
}

function isFresh(bundle) {
  const made = timeOf(bundle)
  if (made === undefined || !isCheckout) return made !== undefined
  return ['ebpf', 'telemetry', 'mon'].every((name) => {
    const built = timeOf(join(workspace, 'packages', name, 'dist/.tsbuildinfo'))
    return built !== undefined && built <= made
  })
}

function timeOf(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs
}

function build(command) {
  const { spawnSync } = require('node:child_process')
  process.stderr.write(`${command}: building, as dist/ does not exist\n`)
  for (const script of ['node_modules/typescript/bin/tsc', 'scripts/bundle.mjs']) {
    const { status, error } = spawnSync(process.execPath, [join(workspace, script), '-b'], {
      cwd: workspace,
      stdio: ['ignore', 2, 2],
    })
    if (status === 0) continue
    process.stderr.write(
      `${command}: Cannot build: ${error?.message ?? 'run npm ci, and then npm run build'}\n`,
    )
    process.exit(1)
  }
}

// `node launch.cjs BUNDLE RUN…`, as scripts/bundle.mjs runs it: the arguments of a run are separated by spaces.
if (require.main === module) {
  const [bundle, ...runs] = process.argv.slice(2)
  void writeCache(
    resolve(bundle),
    runs.map((run) => run.split(' ')),
  )
}
