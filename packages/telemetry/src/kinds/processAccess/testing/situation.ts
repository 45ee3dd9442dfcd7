/** A program that gets at another process, whose pid is its argument, and at itself. */

import { closeSync, openSync, readFileSync } from 'node:fs'
import { addressOf, rawCall, report } from '../../../testing/raw-calls.js'

const NOBODY = 2 ** 22 - 1
const target = Number(process.argv[2])
const buffer = Buffer.alloc(16)

function iovec(address: bigint): Buffer {
  return Buffer.from(BigUint64Array.of(address, 16n).buffer)
}

const [, start = '0'] = /^([0-9a-f]+)-\S+ r/m.exec(readFileSync(`/proc/${target}/maps`, 'latin1')) ?? []
const local = iovec(addressOf(buffer))
const remote = iovec(BigInt(`0x${start}`))
const vm = (call: 'process_vm_readv' | 'process_vm_writev', pid: number, from: Buffer): number =>
  rawCall(call, pid, addressOf(local), 1, addressOf(from), 1, 0)

const results = [
  vm('process_vm_readv', target, remote),
  vm('process_vm_readv', NOBODY, remote),
  vm('process_vm_writev', target, iovec(8n)),
  vm('process_vm_readv', process.pid, local),
]
const pidfd = rawCall('pidfd_open', target, 0)
const copy = rawCall('pidfd_getfd', pidfd, 0, 0)
closeSync(openSync(`/proc/${target}/mem`, 'r+'))
closeSync(openSync(`/proc/${target}/mem`, 'r'))
closeSync(openSync('/proc/self/mem', 'r'))
closeSync(openSync(`/proc/${target}/maps`, 'r'))
report({ results, copied: copy >= 0 })
