/** A program that can execute what it can read. */

import { addressOf, cstring, rawCall, report } from '../../../testing/raw-calls.js'

const READ_IMPLIES_EXEC = 0x40_0000
const READ = 1
const SHARED = 1
const BYTES = 4096

rawCall('personality', READ_IMPLIES_EXEC)
const memfd = rawCall('memfd_create', addressOf(cstring('data')), 1)
rawCall('ftruncate', memfd, BYTES)
report({ address: rawCall('mmap', 0, BYTES, READ, SHARED, memfd, 0) })
