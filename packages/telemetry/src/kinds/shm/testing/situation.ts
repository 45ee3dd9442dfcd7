/** A program that makes and opens shared memory. */

import { closeSync, constants, mkdirSync, openSync, unlinkSync, writeFileSync } from 'node:fs'
import { addressOf, cstring, rawCall, report } from '../../../testing/raw-calls.js'

const IPC_RMID = 0
const KEY = 0x1234_5600 | (process.pid & 0xff)

const name = cstring(Buffer.from('a \xff name', 'latin1'))
const made = rawCall('shmget', KEY, 65_536, 0o1600)
const results = [
  made,
  rawCall('shmget', KEY, 100, 0o1600),
  rawCall('shmget', KEY, 100, 0o3600),
  rawCall('shmget', KEY + 1, 100, 0o600),
]
const own = rawCall('shmget', 0, 4096, 0o600)
const mapped = rawCall('shmat', made, 0, 0o10000)
const refused = rawCall('shmat', 2 ** 30, 0, 0)
for (const id of [made, own]) rawCall('shmctl', id, IPC_RMID, 0)
closeSync(rawCall('memfd_create', addressOf(name), 3))
mkdirSync('/dev/shm', { recursive: true })
const path = `/dev/shm/quark test ${process.pid}`
closeSync(openSync(path, constants.O_CREAT | constants.O_RDWR, 0o600))
closeSync(openSync(path, 'r'))
unlinkSync(path)
writeFileSync('/tmp/quark-other', '')
report({ key: KEY, results, made, own, mapped, refused, path })
