/** Files with rules. */

import { closeSync, openSync, readSync } from 'node:fs'
import { type RuleCounter, type RuleError, rulesOf, type RuleSet, sanitise } from 'quark-telemetry'

const STANDARD_INPUT = 0
/** More than any text of rules has: what is beyond is not read, as a device has no end. */
const MAX_BYTES = 65 << 20
const PIECE_BYTES = 1 << 16

/**
 * Reads rules.
 *
 * @param path a file, or `-` for standard input
 * @throws {RuleError} with everything that is wrong in it; an error of the system when it cannot be read
 */
export function readRules(path: string): RuleSet {
  const name = path === '-' ? 'standard input' : path
  return rulesOf(readText(path), name)
}

function readText(path: string): string {
  const fd = path === '-' ? STANDARD_INPUT : openSync(path, 'r')
  try {
    const pieces: Buffer[] = []
    let sizeBytes = 0
    while (sizeBytes < MAX_BYTES) {
      const piece = Buffer.allocUnsafe(PIECE_BYTES)
      const count = readPiece(fd, piece)
      if (count === 0) break
      pieces.push(piece.subarray(0, count))
      sizeBytes += count
    }
    return Buffer.concat(pieces).toString('utf8')
  } finally {
    if (fd !== STANDARD_INPUT) closeSync(fd)
  }
}

/** Waits for standard input where whoever started this has made it not wait. */
function readPiece(fd: number, piece: Buffer): number {
  for (;;) {
    try {
      return readSync(fd, piece)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EOF') return 0
      if (code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    }
  }
}

/** What rules with `warn` and `fail` matched. */
export interface RuleFindings {
  readonly text: string
  readonly hasFailed: boolean
}

/** Sentences about the rules that are to warn or fail and have matched, and about those that could not be decided. */
export function findingsOf(counters: readonly RuleCounter[], path: string): RuleFindings {
  const found = counters.filter(({ text, hits }) => hits > 0 && /^(?:warn|fail) /.test(text))
  const lineOf = ({ text, line }: RuleCounter, what: string): string =>
    `quark-mon: ${sanitise(path)}:${line}: ${sanitise(text)}: ${what}\n`
  return {
    text: [
      ...found.map((rule) => lineOf(rule, timesText(rule.hits))),
      ...counters
        .filter(({ undecided }) => undecided > 0)
        .map((rule) =>
          lineOf(rule, `not decided ${timesText(rule.undecided)}, as secrets are replaced in the recording`),
        ),
    ].join(''),
    hasFailed: found.some(({ text }) => text.startsWith('fail ')),
  }
}

function timesText(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

/** What is to be said about rules that can never decide. */
export function warningsText({ warnings }: RuleSet, path: string): string {
  return warnings
    .map(({ line, message }) => `quark-mon: ${sanitise(path)}:${line}: ${sanitise(message)}\n`)
    .join('')
}

/** What is wrong in a file, each in a line of its own. */
export function problemsText({ path, problems }: RuleError): string {
  return problems
    .map(({ line, column, message }) => `${sanitise(path)}:${line}:${column}: ${sanitise(message)}\n`)
    .join('')
}
