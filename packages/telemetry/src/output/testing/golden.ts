import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'

/** Compares with `output/testdata/<name>` of the source tree, or rewrites that file when UPDATE_GOLDEN is 1. */
export function matchGolden(name: string, actual: string): void {
  // Tests run from dist, which has no copy of the golden texts.
  const file = new URL(`../../../src/output/testdata/${name}`, import.meta.url)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, actual)
  assert.equal(actual, readFileSync(file, 'utf8'))
}
