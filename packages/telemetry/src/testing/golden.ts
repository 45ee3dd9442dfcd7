import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'

/** Compares with `src/<path>` of the source tree, or rewrites that file when UPDATE_GOLDEN is 1. */
export function matchGolden(path: string, actual: string): void {
  // Tests run from dist, which has no copy of the golden texts.
  const file = new URL(`../../src/${path}`, import.meta.url)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, actual)
  assert.equal(actual, readFileSync(file, 'utf8'))
}
