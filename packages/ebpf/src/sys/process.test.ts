import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mallocTrim } from './libc.js'

interface Report {
  readonly header: { readonly glibcVersionRuntime?: string }
}

test('glibc is asked to give memory back, and no other C library', () => {
  const { header } = process.report.getReport() as unknown as Report
  assert.equal(mallocTrim(0) !== undefined, header.glibcVersionRuntime !== undefined)
})
