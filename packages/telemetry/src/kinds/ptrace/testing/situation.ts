/** A program that traces another one, whose pid is its argument. */

import { readFileSync } from 'node:fs'
import { rawCall, report } from '../../../testing/raw-calls.js'

const TRACEME = 0
const ATTACH = 16
const DETACH = 17
const SYSCALL = 24
const SEIZE = 0x4206
const INTERRUPT = 0x4207
/** No process has it. */
const NOBODY = 2 ** 22 - 1

const target = Number(process.argv[2])

function isStopped(): boolean {
  const stat = readFileSync(`/proc/${target}/stat`, 'latin1')
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('t')
}

const results = [rawCall('ptrace', SEIZE, target, 0, 0), rawCall('ptrace', INTERRUPT, target, 0, 0)]
while (!isStopped());
results.push(
  rawCall('ptrace', DETACH, target, 0, 0),
  rawCall('ptrace', SEIZE, NOBODY, 0, 0),
  rawCall('ptrace', ATTACH, process.pid, 0, 0),
  rawCall('ptrace', SYSCALL, target, 0x12, 0x34),
  rawCall('ptrace', TRACEME, 0, 0, 0),
)
report({ results, comm: readFileSync('/proc/self/comm', 'latin1').trimEnd() })
