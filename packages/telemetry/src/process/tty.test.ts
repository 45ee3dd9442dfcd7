import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ttyNameOf } from './tty.js'

test('terminals are called as ps(1) calls them', () => {
  // oxfmt-ignore
  const names: [major: number, minor: number, name: string | undefined][] = [
    [136, 0, 'pts/0'], [136, 3, 'pts/3'], [136, 255, 'pts/255'], [136, 300, 'pts/300'], [137, 1, 'pts/257'],
    [4, 1, 'tty1'], [4, 63, 'tty63'], [4, 64, 'ttyS0'], [4, 65, 'ttyS1'], [5, 1, 'console'],
    [188, 2, 'ttyUSB2'], [166, 0, 'ttyACM0'], [204, 64, 'ttyAMA0'], [229, 0, 'hvc0'],
    // None, /dev/tty and /dev/tty0, which are no terminals of their own, and what has no fixed name.
    [0, 0, undefined], [5, 0, undefined], [4, 0, undefined], [135, 0, undefined], [144, 0, undefined], [204, 5, undefined],
  ]
  for (const [major, minor, name] of names) assert.equal(ttyNameOf(major, minor), name, `${major}:${minor}`)
})
