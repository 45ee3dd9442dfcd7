import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { compileGlob, GlobError, MAX_GLOB_LENGTH } from './glob.js'

/** Names that match a pattern, and names that do not. */
const NAMES: readonly [pattern: string, yes: readonly string[], no: readonly string[]][] = [
  ['node', ['node'], ['node2', 'nod', 'NODE', '']],
  ['python*', ['python', 'python3.12', 'python/x'], ['cpython']],
  ['*sh', ['sh', 'bash', 'k/sh'], ['shell']],
  ['k?d', ['kad', 'k/d', 'k😀d'], ['kd', 'kaad']],
  ['[ab]x', ['ax', 'bx'], ['cx', 'x', '[ab]x']],
  ['[a-c1-3]', ['a', 'b', '3'], ['d', '4', '-']],
  ['[!a-c]', ['d', '/'], ['a', '']],
  ['[^a]', ['b'], ['a']],
  ['[]x]', [']', 'x'], ['[]x]']],
  ['[a-]', ['a', '-'], ['b']],
  ['[\\]]', [']'], ['\\']],
  ['\\*', ['*'], ['a', '\\*']],
  ['a\\\\b', ['a\\b'], ['a\\\\b']],
  ['**', ['', 'a', 'a/b'], []],
  ['a*b*c', ['abc', 'axxbyyc', 'abbcc'], ['ab', 'acb']],
  ['💥*', ['💥', '💥x'], ['x💥']],
]

const PATHS: readonly [pattern: string, yes: readonly string[], no: readonly string[]][] = [
  ['/usr/bin/*', ['/usr/bin/node', '/usr/bin/'], ['/usr/bin/a/b', '/usr/bin', '/x/usr/bin/a']],
  ['/usr/**', ['/usr/', '/usr/bin/node'], ['/usr', '/usrx']],
  ['/**/node', ['/usr/bin/node', '/a/node'], ['/node', '/usr/node2']],
  ['**/node', ['/node', '/usr/bin/node', 'a/node'], ['node', '/usr/nodex']],
  ['/home/?/x', ['/home/a/x'], ['/home///x', '/home/ab/x']],
  ['/a[!b]c', ['/axc'], ['/abc', '/a/c']],
  ['node', ['/usr/bin/node', 'node'], ['/node/x', '/usr/bin/node2']],
  ['python3*', ['/usr/bin/python3.12', '/opt/x/python3'], ['/python3/a']],
]

for (const [isPath, table] of [
  [false, NAMES],
  [true, PATHS],
] as const) {
  for (const [pattern, yes, no] of table) {
    test(`${pattern} as a glob of ${isPath ? 'paths' : 'names'}`, () => {
      const matches = compileGlob(pattern, isPath)
      for (const name of yes) assert.equal(matches(name), true, name)
      for (const name of no) assert.equal(matches(name), false, name)
    })
  }
}

test('patterns that are none say what to do', () => {
  const problems: readonly [pattern: string, advice: RegExp][] = [
    ['', /give a pattern/],
    ['[', /close the "\["/],
    ['[]', /close the "\["/],
    ['[a-', /close the "\["/],
    ['a[!', /close the "\["/],
    ['[z-a]', /turn the range "z-a" round/],
    ['a\\', /behind the backslash/],
    ['a'.repeat(MAX_GLOB_LENGTH + 1), /at most 256 characters/],
  ]
  for (const [pattern, advice] of problems) {
    assert.throws(
      () => compileGlob(pattern, true),
      (error) => error instanceof GlobError && advice.test(error.message),
      pattern,
    )
  }
})

/** The same by definition, in time that grows without bound. */
function slowly(pattern: string, name: string, isPath: boolean): boolean {
  if (pattern === '') return name === ''
  if (pattern.startsWith('*')) {
    const rest = pattern.replace(/^\*+/, '')
    const stops = isPath && !pattern.startsWith('**')
    for (let end = 0; end <= name.length; end++) {
      if (slowly(rest, name.slice(end), isPath)) return true
      if (stops && name[end] === '/') return false
    }
    return false
  }
  if (name === '') return false
  const isSame = pattern[0] === '?' ? !isPath || name[0] !== '/' : pattern[0] === name[0]
  return isSame && slowly(pattern.slice(1), name.slice(1), isPath)
}

test('a glob matches what its definition says, whatever the pattern and the name', () => {
  const letters = fc.constantFrom('a', 'b', '/', '*', '**', '?')
  const names = fc.array(fc.constantFrom('a', 'b', '/'), { maxLength: 12 }).map((parts) => parts.join(''))
  const patterns = fc.array(letters, { minLength: 1, maxLength: 8 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(patterns, names, fc.boolean(), (pattern, name, isPath) => {
      const at = isPath && !pattern.includes('/') ? name.slice(name.lastIndexOf('/') + 1) : name
      assert.equal(compileGlob(pattern, isPath)(name), slowly(pattern, at, isPath))
    }),
    { numRuns: 2000 },
  )
})

test('a name made to have a glob tried in every way takes no longer than another one', () => {
  const matches = compileGlob(`${'*a'.repeat(127)}b`, true)
  // Tried one by one, these were more ways than there are atoms.
  assert.equal(matches(`/${'a'.repeat(4095)}`), false)
})
