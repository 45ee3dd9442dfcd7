/**
 * The steps of the scenario that a shell cannot do: `node step.js NAME ARGUMENT…`. Those of the table `execs`
 * replace themselves by a program that sleeps, and the shell observes and ends it.
 */

import { appendFileSync, chmodSync, copyFileSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { parseEnded } from './elf.js'
import { type Bytes, execve, execveOnThread, fexecve, memfd, setresgid, setresuid } from './native.js'
import { observe, untilAsleep } from './observe.js'
import type { Truth } from './truth.js'

const NEWLINE_ESC_INVALID = Buffer.from('a\nb\x1b[31mc\xff\xfe\xc3d', 'latin1')
const NAME_SIZE_BYTES = 199

function setting(name: string): string {
  const value = process.env[name]
  if (value === undefined) {
    throw new Error(`Cannot run a step of the scenario: ${name} is not set`)
  }
  return value
}

function report(truth: Truth): void {
  appendFileSync(setting('SCENARIO_TRUTH'), `${JSON.stringify(truth)}\n`)
}

/** Observes a sleeping process; `known` is what only the script knows, as JSON. */
async function reportObserved(step: string, pid: number, known: string): Promise<void> {
  await untilAsleep(pid)
  report({ ...observe(step, pid), ...(JSON.parse(known) as object) })
}

/**
 * A chain of programs, each started by the one before, of which each but the last reported its child: the
 * deepest ended first.
 */
function reportChain(step: string, pid: number, path: string): void {
  let ppid = pid
  for (const [depth, child] of parseEnded(readFileSync(path)).toReversed().entries()) {
    report({ step: `${step}-${depth + 1}`, pid: child.pid, ppid, ...endOf(child.status) })
    ppid = child.pid
  }
}

/** Decodes a wait status (wait(2)). */
function endOf(status: number): Pick<Truth, 'exitCode' | 'exitSignal' | 'coreDumped'> {
  const signal = status & 0x7f
  return signal === 0
    ? { exitCode: (status >> 8) & 0xff }
    : { exitSignal: signal, coreDumped: (status & 0x80) !== 0 }
}

/** Makes and enters directories until the path of the current one has `sizeBytes` bytes. */
function descend(sizeBytes: number): void {
  let left = sizeBytes - process.cwd().length
  while (left > 0) {
    // What is left after this one must be enough for a slash and a letter.
    const room = left - 1 > NAME_SIZE_BYTES ? Math.min(NAME_SIZE_BYTES, left - 3) : left - 1
    const name = 'd'.repeat(room)
    mkdirSync(name)
    process.chdir(name)
    left -= name.length + 1
  }
}

function exec(sleeper: string, argv: readonly Bytes[], env: readonly Bytes[] = []): never {
  return execve(sleeper, { argv, env })
}

function execOddName(sleeper: string): never {
  const path = Buffer.concat([Buffer.from(`${process.cwd()}/`), NEWLINE_ESC_INVALID])
  copyFileSync(sleeper, path)
  chmodSync(path, 0o755)
  return exec(path as unknown as string, [path, NEWLINE_ESC_INVALID, '\n', '\t\r\x07', '"\\'])
}

function execOddDirectory(sleeper: string): never {
  const path = Buffer.concat([NEWLINE_ESC_INVALID, Buffer.from('-directory')])
  mkdirSync(path)
  // process.chdir takes text only, and these bytes are none.
  return exec('/bin/sh', ['sh', '-c', 'cd -- "$1" && exec "$2" odd-directory', 'sh', path, sleeper])
}

function execDeleted(sleeper: string): never {
  copyFileSync(sleeper, 'gone')
  const fd = openSync('gone', 'r')
  rmSync('gone')
  return exec(`/proc/self/fd/${fd}`, ['gone'])
}

const execs: Readonly<Record<string, (sleeper: string) => unknown>> = {
  memfd: (sleeper) =>
    exec(`/proc/self/fd/${memfd('scenario', readFileSync(sleeper))}`, ['from-memfd', 'by path']),
  fexecve: (sleeper) =>
    fexecve(memfd('scenario-2', readFileSync(sleeper)), { argv: ['from-memfd', 'by descriptor'], env: [] }),
  'deleted-exe': execDeleted,
  'exec-thread': (sleeper) => execveOnThread(sleeper, { argv: ['by-thread', 'x'], env: [] }),
  'odd-name': execOddName,
  'odd-directory': execOddDirectory,
  'deep-cwd': (sleeper) => {
    descend(4000)
    exec(sleeper, ['deep'])
  },
  'no-args': (sleeper) => exec(sleeper, []),
  'empty-args': (sleeper) => exec(sleeper, ['', '', 'middle', '', '']),
  'one-empty-arg': (sleeper) => exec(sleeper, ['']),
  'tiny-args': (sleeper) => exec(sleeper, new Array<string>(100_000).fill('a')),
  'huge-args': (sleeper) =>
    exec(
      sleeper,
      Array.from({ length: 20 }, (_, index) => String.fromCharCode(97 + index).repeat(99_999)),
    ),
  env: (sleeper) => exec(sleeper, ['env'], ['A=1', 'EMPTY=', 'ODD=\n\x1b[0m', NEWLINE_ESC_INVALID, 'Z=é']),
  'thread-ids': (sleeper) => {
    // exec makes the effective id the saved one too, so that is how they are set here.
    setresgid(21, 22, 22)
    setresuid(0, 12, 12)
    exec(sleeper, ['ids'])
  },
}

async function run([name = '', ...values]: readonly string[]): Promise<void> {
  const [step = '', pid = '', third = '{}'] = values
  if (name === 'observe') {
    await reportObserved(step, Number(pid), third)
  } else if (name === 'chain') {
    reportChain(step, Number(pid), third)
  } else {
    const exec = execs[name]
    if (exec === undefined) {
      throw new Error(`Cannot run an unknown step: ${name}`)
    }
    process.chdir(setting('SCENARIO_DIR'))
    await exec(setting('SCENARIO_SLEEPER'))
  }
}

await run(process.argv.slice(2))
