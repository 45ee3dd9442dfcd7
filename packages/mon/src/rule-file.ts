/** Files with rules. */

import { readFileSync } from 'node:fs'
import { type RuleCounter, type RuleError, rulesOf, type RuleSet, sanitise } from 'quark-telemetry'

/**
 * Reads rules.
 *
 * @param path a file, or `-` for standard input
 * @throws {RuleError} with everything that is wrong in it; an error of the system when it cannot be read
 */
export function readRules(path: string): RuleSet {
  const name = path === '-' ? 'standard input' : path
  return rulesOf(readFileSync(path === '-' ? 0 : path, 'utf8'), name)
}

/** What rules with `warn` and `fail` matched. */
export interface RuleFindings {
  readonly text: string
  readonly hasFailed: boolean
}

/** Sentences about the rules that are to warn or fail and have matched. */
export function findingsOf(counters: readonly RuleCounter[], path: string): RuleFindings {
  const found = counters.filter(({ text, hits }) => hits > 0 && /^(?:warn|fail) /.test(text))
  return {
    text: found
      .map(
        ({ text, line, hits }) =>
          `quark-mon: ${sanitise(path)}:${line}: ${sanitise(text)}: ${timesText(hits)}\n`,
      )
      .join(''),
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
