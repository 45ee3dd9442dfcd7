/** Attacks by an ordinary user: how they are started, counted and ended. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { writeTrue } from '../programs.mjs'

const SOURCE = fileURLToPath(new URL('flood.c', import.meta.url))
const NOBODY = ['--reuid', '65534', '--regid', '65534', '--clear-groups']
/** Two arguments, as one may have 128 KiB at most, its end included. */
const LONG = ['a'.repeat(64_000), 'b'.repeat(66_000)]
/** Each character takes six in JSON. */
const LONG_CONTROL = ['\x01'.repeat(64_000), '\x01'.repeat(66_000)]
const COUNTERS_SIZE_BYTES = 4096
const SLOT_SIZE_BYTES = 16
const HOLD_LIMIT_MS = 60_000

/** Sockets, names, files, terminals and all others; not what slows each system call down. */
const ALL_KINDS = ['--all']

/** The rate that must be withstood, per second. */
export const STATED_RATE = 533

/**
 * name: how the table names it; kind: what flood.c does; rate: per second and process, 0 as often as it can;
 * copies: processes; padding: arguments; options: those of quark-mon that it is about; quick: also in a quick run.
 */
export const FLOODS = [
  /** If this one loses anything, something else floods the machine. */
  { name: 'none', copies: 0, quick: true },
  {
    name: `exec of 128 kB, ${STATED_RATE}/s`,
    kind: 'exec',
    rate: STATED_RATE,
    padding: LONG,
    quick: true,
  },
  { name: `children with 128 kB, ${STATED_RATE}/s`, kind: 'spawn', rate: STATED_RATE, padding: LONG },
  { name: 'exec of 128 kB by 4', kind: 'exec', copies: 4, padding: LONG, quick: true },
  { name: 'forks of a process with 128 kB', kind: 'children', padding: LONG_CONTROL, quick: true },
  { name: 'exec', kind: 'exec', copies: 2, quick: true },
  { name: 'fork', kind: 'fork', copies: 2, quick: true },
  { name: 'comm', kind: 'comm', copies: 2, quick: true },
  { name: 'setsid', kind: 'setsid', copies: 2 },
  { name: 'threads', kind: 'threads', copies: 2 },
  { name: 'threads, shown', kind: 'threads', copies: 2, options: ['--threads'] },
  { name: 'failed exec', kind: 'failed', copies: 2, padding: LONG },
  {
    name: 'failed exec, shown',
    kind: 'failed',
    copies: 2,
    padding: LONG,
    options: ['--failed-execs'],
    quick: true,
  },
  ...['connection', 'refused', 'datagram', 'question', 'file', 'terminal', 'exec'].map((kind) => ({
    name: `${kind}, all kinds`,
    kind,
    copies: 2,
    padding: LONG,
    options: ALL_KINDS,
  })),
  { name: '1,500 processes with 131,072 empty arguments', kind: 'hold', rate: 1500 },
]

/** For the sweep: exec with 128 kB of argv at a rate, 0 as often as possible, by several processes. */
export function longExec(rate, copies) {
  return {
    name: `${rate === 0 ? 'flat out' : `${rate}/s`} × ${copies}`,
    kind: 'exec',
    rate,
    copies,
    padding: LONG,
  }
}

/** Compiles the program of the floods, and returns a function that starts one. */
export function prepareFloods(directory) {
  const program = join(directory, 'flood')
  execFileSync('gcc', ['-O2', '-static', '-pthread', '-o', program, SOURCE], { stdio: 'inherit' })
  const short = writeTrue(directory)
  let started = 0

  return function startFlood({ kind, rate = 0, copies = 1, padding = [] }) {
    started += 1
    const counters = join(directory, `counters-${started}`)
    writeFileSync(counters, Buffer.alloc(COUNTERS_SIZE_BYTES), { mode: 0o666 })
    execFileSync('chmod', ['666', counters])
    const startedMs = performance.now()
    const children = Array.from({ length: copies }, (_, slot) => {
      const args = [kind, rate, counters, slot, short, ...padding].map(String)
      return spawn('setpriv', [...NOBODY, program, ...args], {
        detached: true,
        stdio: ['ignore', 'ignore', 'inherit'],
        env: {},
      })
    })
    const ends = children.map((child) => once(child, 'exit'))
    return {
      /** Waits until all processes are there that are to be held. */
      async settle() {
        if (kind !== 'hold') return
        const endMs = performance.now() + HOLD_LIMIT_MS
        while (countOf(counters) < rate && performance.now() < endMs) await sleep(100)
      },
      hasEnded: () => children.some(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null),
      /** Ends it, and returns how often a second it did what it does; of processes that it holds, how many. */
      async stop() {
        const count = countOf(counters)
        const seconds = (performance.now() - startedMs) / 1e3
        for (const { pid } of children) {
          try {
            process.kill(-pid, 'SIGKILL')
          } catch (error) {
            if (error.code !== 'ESRCH') throw error
          }
        }
        await Promise.all(ends)
        return kind === 'hold' ? count : count / seconds
      },
    }
  }
}

function countOf(path) {
  const bytes = Buffer.alloc(COUNTERS_SIZE_BYTES)
  const file = openSync(path, 'r')
  readSync(file, bytes, 0, bytes.length, 0)
  closeSync(file)
  let count = 0
  for (let at = 0; at < bytes.length; at += SLOT_SIZE_BYTES) count += Number(bytes.readBigInt64LE(at))
  return count
}
