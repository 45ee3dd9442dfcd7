import assert from 'node:assert/strict'
import { test } from 'node:test'
import { harmlessJson } from './harmless-json.js'

test('JSON holds nothing that acts on a terminal, and has the same value', () => {
  const all = String.fromCharCode(...Array.from({ length: 0x2100 }, (_, code) => code))
  const value = { [all]: [all, '\u{1f600}'] }
  for (const indent of [undefined, 2]) {
    const json = harmlessJson(JSON.stringify(value, undefined, indent))
    assert.doesNotMatch(json, /[^\P{Cc}\n]|[\p{Bidi_Control}\p{Zl}\p{Zp}]/u)
    assert.deepEqual(JSON.parse(json), value)
  }
})
