/**
 * A program that calls getpid(2) as often as a line of standard input says, and answers. A second word is the name that it
 * gives itself before.
 */

import { createInterface } from 'node:readline'
import { rawCall } from './raw-calls.js'

createInterface({ input: process.stdin }).on('line', (line) => {
  const [count, name] = line.split(' ')
  if (name !== undefined) process.title = name
  for (let call = 0; call < Number(count); call += 1) rawCall('getpid')
  process.stdout.write('done\n')
})
