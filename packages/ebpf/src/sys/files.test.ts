import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readAgain } from './files.js'

test('an open file is read whole and anew, also when its name is gone', () => {
  const directory = mkdtempSync(join(tmpdir(), 'files-'))
  const path = join(directory, 'file')
  const long = 'line of text\n'.repeat(1000)
  writeFileSync(path, '')
  const fd = openSync(path, 'r')
  try {
    assert.equal(readAgain(fd), '')
    writeFileSync(path, long)
    assert.equal(readAgain(fd), long)
    rmSync(directory, { recursive: true })
    assert.equal(readAgain(fd), long)
  } finally {
    closeSync(fd)
  }
})
