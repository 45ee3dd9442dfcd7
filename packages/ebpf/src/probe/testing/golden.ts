import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'

/**
 * Compares a text with `probe/testdata/<name>.txt`, line by line as a person would read it. With UPDATE_GOLDEN=1 the
 * file is written instead.
 */
export function expectGolden(name: string, text: string): void {
  // Tests run from dist, but their texts stay beside the sources.
  const url = new URL(`../../../src/probe/testdata/${name}.txt`, import.meta.url)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(url, `${text}\n`)
  assert.deepEqual(
    text.split('\n'),
    readFileSync(url, 'utf8').trimEnd().split('\n'),
    `differs from ${url.pathname}`,
  )
}
