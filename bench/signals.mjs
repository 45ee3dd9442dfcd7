/**
 * How long quark-mon takes to act on SIGTERM while an ordinary user attacks it, and how much memory it takes meanwhile.
 *   node bench/signals.mjs [--quick] [format…]
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { QUARK_MON } from './agent.mjs'
import { alone } from './alone.mjs'
import { quantile, rssMbOf } from './measure.mjs'
import { makeDirectory, spawnProgram, vforkProgram, writeProgram, writeTrue } from './programs.mjs'

const FORMATS = { text: [], dump: ['--dump'], json: ['--json'], ecs: ['--ecs'], counting: ['-M'] }
const TRIES = 50
const QUICK_TRIES = 4
const NOBODY = 65_534
/** More than an attack of one try ever gets to. */
const ENDLESS = 0x7fffffff
/** Control characters take six bytes each in JSON. One argument may have at most 128 KiB. */
const ARGUMENT = '\x01'.repeat(64_000)
/** SIGTERM comes so long after the beginning of the attack: not always in the same part of a batch. */
const ATTACK_MS = { min: 600, max: 1600 }
const AIM_MS = 200
/** A run that takes longer is killed, and its tries count as so long. */
const LIMIT_MS = 60_000
const SIGTERM_BIT = 1n << 14n

/** Attacks by an ordinary user, as programs with their arguments. */
function attacks(directory) {
  const argv = [writeTrue(directory), 'argument']
  const forks = writeProgram(directory, 'forks', vforkProgram(ENDLESS))
  const execs = writeProgram(directory, 'execs', spawnProgram({ count: ENDLESS, argv }))
  return {
    'forks, 128 kB of argv': { path: forks, args: [ARGUMENT, ARGUMENT] },
    execs: { path: execs, args: [] },
  }
}

/** Whether the process still waits for SIGTERM: it takes its handler away as soon as the signal has come to it. */
function handlesTerm(pid) {
  try {
    const caught = /^SigCgt:\s*([0-9a-f]+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
    return caught !== undefined && (BigInt(`0x${caught}`) & SIGTERM_BIT) !== 0n
  } catch {
    return false
  }
}

/** 0 when it has ended. */
function peakMbOf(pid) {
  try {
    return rssMbOf(pid).peak || 0
  } catch {
    return 0
  }
}

async function tryOnce(args, { path, args: attackArgs }, file) {
  const agent = spawn(process.execPath, [QUARK_MON, '--verbose', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  agent.stderr.setEncoding('utf8').on('data', (text) => (errors += text))
  const ended = once(agent, 'exit')
  await Promise.race([once(agent.stderr, 'data'), ended])
  const attacker = spawn(path, attackArgs, { stdio: 'ignore', uid: NOBODY, gid: NOBODY, env: {} })
  const guard = setTimeout(() => agent.kill('SIGKILL'), LIMIT_MS)
  try {
    await sleep(ATTACK_MS.min + Math.random() * (ATTACK_MS.max - ATTACK_MS.min))
    if (agent.exitCode !== null) throw new Error(`quark-mon ended under attack: ${errors}`)
    const peak = peakMbOf(agent.pid)
    const startedMs = performance.now()
    const end = { ms: undefined, peakMb: peak }
    void ended.then(() => (end.ms = performance.now() - startedMs))
    agent.kill('SIGTERM')
    while (end.ms === undefined && handlesTerm(agent.pid)) await sleep(1)
    const actMs = performance.now() - startedMs
    while (end.ms === undefined) {
      end.peakMb = Math.max(end.peakMb, peakMbOf(agent.pid))
      await sleep(2)
    }
    if (agent.exitCode !== 0) throw new Error(`quark-mon failed: ${agent.signalCode ?? errors}`)
    return { actMs: Math.min(actMs, end.ms), endMs: end.ms, peakMb: end.peakMb }
  } finally {
    clearTimeout(guard)
    attacker.kill('SIGKILL')
    agent.kill('SIGKILL')
    rmSync(file, { force: true })
  }
}

export async function signals({ quick, formats = Object.keys(FORMATS) }) {
  await alone()
  // Agent and attackers inherit it, so that other work on the machine matters less.
  setPriority(constants.priority.PRIORITY_HIGHEST)
  const directory = makeDirectory()
  const file = join(directory, 'events')
  const rows = []
  const worst = { p95: 0, max: 0, peakMb: 0 }
  for (const [attack, program] of Object.entries(attacks(directory))) {
    for (const format of formats) {
      const args = [...FORMATS[format], ...(format === 'counting' ? [] : ['-o', file, '--truncate'])]
      const tries = []
      for (let i = 0; i < (quick ? QUICK_TRIES : TRIES); i++) tries.push(await tryOnce(args, program, file))
      const acts = tries.map(({ actMs }) => actMs)
      const ends = tries.map(({ endMs }) => endMs)
      const peakMb = Math.max(...tries.map((one) => one.peakMb))
      worst.p95 = Math.max(worst.p95, quantile(ends, 0.95))
      worst.max = Math.max(worst.max, ...ends)
      worst.peakMb = Math.max(worst.peakMb, peakMb)
      rows.push([
        `${format}, ${attack}`,
        ...[acts, ends].flatMap((values) =>
          [0.5, 0.95, 1].map((share) => quantile(values, share).toFixed(0)),
        ),
        peakMb.toFixed(0),
      ])
    }
  }
  return {
    tables: [
      {
        title: `From SIGTERM under an attack of nobody, in ms; ${quick ? QUICK_TRIES : TRIES} tries each`,
        columns: [
          'output, attack',
          ...['acted', 'ended'].flatMap((what) => [`${what} p50`, `${what} p95`, `${what} max`]),
          'RSS peak MB',
        ],
        rows,
      },
    ],
    notes: [],
    figures: [
      {
        name: 'from SIGTERM under attack to the end, p95 of the worst',
        value: `${worst.p95.toFixed(0)} ms (maximum ${worst.max.toFixed(0)} ms)`,
        aim: `≤ ${AIM_MS} ms`,
        isReached: worst.p95 <= AIM_MS,
      },
      { name: 'RSS under attack', value: `${worst.peakMb.toFixed(0)} MB` },
    ],
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean', default: false } },
  })
  const { tables, figures } = await signals({
    quick: values.quick,
    ...(positionals.length > 0 ? { formats: positionals } : {}),
  })
  for (const { title, columns, rows } of tables) {
    console.log(`${title}:`)
    console.table(rows.map((row) => Object.fromEntries(columns.map((column, i) => [column, row[i]]))))
  }
  for (const { name, value, aim } of figures)
    console.log(`${name}: ${value}${aim === undefined ? '' : `, aim ${aim}`}`)
}
