/** quark-mon as a process of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export const QUARK_MON = fileURLToPath(new URL('../packages/mon/bin/quark-mon.cjs', import.meta.url))
/** The snapshot is written and garbage of the start is gone. */
const SETTLE_MS = 500

/**
 * Starts quark-mon with its output thrown away, and waits until it watches.
 *
 * @param program what is run in its place
 * @returns its pid, and `stop`, which returns what it wrote to standard error
 */
export async function startAgent(args, program = QUARK_MON) {
  const nothing = openSync('/dev/null', 'w')
  const child = spawn(process.execPath, [program, '--verbose', ...args], {
    stdio: ['ignore', nothing, 'pipe'],
  })
  closeSync(nothing)
  let errors = ''
  const watching = new Promise((resolve) => {
    child.stderr.setEncoding('utf8').on('data', (text) => {
      errors += text
      resolve()
    })
  })
  const ended = once(child, 'close')
  await Promise.race([watching, ended])
  if (child.exitCode !== null) throw new Error(`Cannot start quark-mon: ${errors}`)
  await sleep(SETTLE_MS)
  return {
    pid: child.pid,
    async stop() {
      child.kill('SIGINT')
      await ended
      if (child.exitCode !== 0) throw new Error(`quark-mon failed: ${errors}`)
      return errors
    },
  }
}

const LOST = /; (?:nothing was lost|([\d,]+) records? (?:was|were) lost)/g

/** The number of lost records in what quark-mon wrote at its end: a sentence, or with --dump and in versions before a table. */
export function lostOf(errors) {
  const last = [...errors.matchAll(LOST)].at(-1)
  if (last !== undefined) return Number((last[1] ?? '0').replaceAll(',', ''))
  const lines = errors.split('\n')
  const heading = lines.findIndex((line) => line.includes('non-aggs'))
  const names = lines[heading]?.trim().split(/\s+/) ?? []
  return Number(lines[heading + 1]?.trim().split(/\s+/)[names.indexOf('lost')])
}
