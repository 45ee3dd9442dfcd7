/** A program that makes memory executable in many ways. */

import { closeSync, openSync } from 'node:fs'
import { addressOf, cstring, rawCall, report } from '../../../testing/raw-calls.js'

const PRIVATE_ANONYMOUS = 0x22
const PRIVATE = 2
const SHARED = 1
const RW = 3
const RX = 5
const RWX = 7
const BYTES = 4096

const anonymous = rawCall('mmap', 0, BYTES, RW, PRIVATE_ANONYMOUS, -1, 0)
const results = [
  rawCall('mprotect', anonymous, BYTES, RX),
  rawCall('mprotect', anonymous, BYTES, RX),
  rawCall('mprotect', anonymous, BYTES, RW),
  rawCall('mprotect', 1, BYTES, RWX),
  rawCall('pkey_mprotect', anonymous, BYTES, RWX, -1),
]
const program = openSync(process.execPath, 'r')
const memfd = rawCall('memfd_create', addressOf(cstring('code')), 1)
rawCall('ftruncate', memfd, BYTES)
const maps = {
  anonymous: rawCall('mmap', 0, BYTES, RX, PRIVATE_ANONYMOUS, -1, 0),
  file: rawCall('mmap', 0, BYTES, RX, PRIVATE, program, 0),
  writableFile: rawCall('mmap', 0, BYTES, RWX, PRIVATE, program, 0),
  nameless: rawCall('mmap', 0, BYTES, RX, SHARED, memfd, 0),
}
closeSync(program)
const segment = rawCall('shmget', 0, BYTES, 0o700)
const attached = rawCall('shmat', segment, 0, 0o100000)
rawCall('shmctl', segment, 0, 0)
report({ protected: anonymous, results, maps, segment, attached, program: process.execPath })
