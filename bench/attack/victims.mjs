/** The programs that root starts during an attack, and whether the agent reported each of them whole. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { exitingProgram } from '../../packages/telemetry/dist/testing/elf.js'
import { writeProgram } from '../programs.mjs'

export const VICTIMS = 200
/** Clocks of events and of this process may differ by so much. */
const SLACK_MS = 50

/** Writes the programs; each has its own path and exit code. */
export function writeVictims(directory) {
  return Array.from({ length: VICTIMS }, (_, i) =>
    writeProgram(directory, `victim-${i}`, exitingProgram((i % 100) + 1)),
  )
}

/** Starts each program, one after the other, and returns what is true of them. */
export async function runVictims(paths, pauseMs) {
  const victims = []
  const ends = []
  const run = Math.random().toString(36).slice(2, 8)
  for (const [i, path] of paths.entries()) {
    const argv = [path, `quark-victim-${run}-${i}`]
    const startMs = Date.now()
    const child = spawn(path, argv.slice(1), { stdio: 'ignore', env: {} })
    const victim = { pid: child.pid, ppid: process.pid, exe: path, argv, startMs }
    ends.push(
      once(child, 'exit').then(([code]) => {
        victim.exitCode = code
        victim.endMs = Date.now()
      }),
    )
    victims.push(victim)
    await sleep(pauseMs)
  }
  await Promise.all(ends)
  return victims
}

/** Counts the programs that are complete, incomplete and missing in the agent's output, and what is missing. */
export function judge(victims, output, format) {
  const byPid = groupBy(parsers[format](output), ({ pid }) => pid)
  const result = { complete: 0, incomplete: 0, missing: 0, faults: {}, found: [] }
  for (const victim of victims) {
    const faults = faultsOf(victim, byPid.get(victim.pid) ?? [])
    if (faults === undefined) result.missing += 1
    else if (faults.length === 0) result.complete += 1
    else result.incomplete += 1
    // What there is of it all the same, for whoever looks for the cause.
    if (faults === undefined || faults.length > 0)
      result.found.push({ victim, lines: output.split('\n').filter((line) => line.includes(victim.argv[1])) })
    for (const fault of faults ?? []) result.faults[fault] = (result.faults[fault] ?? 0) + 1
  }
  return result
}

/** What the events of a process lack, or `undefined` if there is none. Numbers of processes are used again. */
function faultsOf(victim, events) {
  const own = events.filter(
    ({ timeMs, uid = 0, actions }) =>
      uid === 0 &&
      !actions.includes('snapshot') &&
      (timeMs === undefined || (timeMs >= victim.startMs - SLACK_MS && timeMs <= victim.endMs + SLACK_MS)),
  )
  const groups = [...groupBy(own, ({ entityId }) => entityId).values()]
  const found = groups
    .map((group) => faultsOfGroup(victim, group))
    .sort((a, b) => a.length - b.length)
    .at(0)
  return found
}

function faultsOfGroup(victim, group) {
  const actions = group.flatMap((event) => event.actions)
  const last = (name) => group.findLast((event) => event[name] !== undefined)?.[name]
  return [
    ...['fork', 'exec', 'exit'].filter((action) => !actions.includes(action)),
    ...(String(last('argv')) === String(victim.argv) ? [] : ['argv']),
    ...['exe', 'exitCode', 'ppid'].filter((name) => last(name) !== victim[name]),
  ]
}

const parsers = {
  json: (output) =>
    objectsOf(output)
      .filter(({ kind }) => kind === 'process')
      .map(({ time, actions, process }) => ({ ...process, actions, timeMs: Date.parse(time) })),

  ecs: (output) =>
    objectsOf(output)
      .filter(({ process }) => process !== undefined)
      .map(({ '@timestamp': time, process, user, quark }) => ({
        pid: process.pid,
        uid: user === undefined ? undefined : Number(user.id),
        ppid: process.parent?.pid,
        entityId: process.entity_id,
        actions: quark?.actions ?? [],
        argv: process.args,
        exe: process.executable,
        exitCode: process.exit_code,
        timeMs: Date.parse(time),
      })),

  dump: (output) =>
    output
      .split(/^->/m)
      .slice(1)
      .map((text) => {
        const field = (name) => new RegExp(`[\\t ]${name}=(\\S+)`).exec(text)?.[1]
        const number = (name) => (field(name) === undefined ? undefined : Number(field(name)))
        const [, pid, actions] = /^(\d+) \(([^)]*)\)/.exec(text) ?? []
        return {
          pid: Number(pid),
          actions: (actions ?? '').toLowerCase().split('+'),
          uid: number('uid'),
          ppid: number('ppid'),
          entityId: field('entity_id'),
          argv: /cmdline=\[ (.*) \]/.exec(text)?.[1].split(', '),
          exe: field('exe'),
          exitCode: number('exit_code'),
        }
      }),
}

function objectsOf(output) {
  return output
    .split('\n')
    .filter((line) => line.length > 0)
    .flatMap((line) => {
      try {
        return [JSON.parse(line)]
      } catch {
        // The last line of an agent that was killed.
        return []
      }
    })
}

function groupBy(items, keyOf) {
  const groups = new Map()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}
