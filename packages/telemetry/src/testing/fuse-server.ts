/**
 * A file system in user space with one program on it, as any user can mount one. Run in a process of its own, which is
 * stopped or killed to see who waits for it:
 *   node fuse-server.js FOLDER NAME FILE
 * FILE is served as FOLDER/NAME. Says `mounted` when it is; the numbers are those of include/uapi/linux/fuse.h.
 */

import { spawnSync } from 'node:child_process'
import { openSync, readFileSync, readSync, writeSync } from 'node:fs'

const LOOKUP = 1
const FORGET = 2
const GETATTR = 3
const OPEN = 14
const READ = 15
const INIT = 26
const OPENDIR = 27
const INTERRUPT = 36
const BATCH_FORGET = 42

const ENOENT = 2
const ENOSYS = 38
const ROOT = 1n
const PROGRAM = 2n
const HEADER_BYTES = 40
const VALID_S = 1n

const [folder = '', name = '', file = ''] = process.argv.slice(2)
const content = readFileSync(file)
const fd = openSync('/dev/fuse', 'r+')
const { status, stderr } = spawnSync(
  'mount',
  ['-i', '-t', 'fuse', '-o', 'fd=3,rootmode=40000,user_id=0,group_id=0,allow_other', 'none', folder],
  { stdio: ['ignore', 'ignore', 'pipe', fd], encoding: 'utf8' },
)
if (status !== 0) throw new Error(`Cannot mount FUSE: ${stderr}`)
process.stdout.write('mounted\n')

/** struct fuse_attr */
function attributes(node: bigint): Buffer {
  const bytes = Buffer.alloc(88)
  const isRoot = node === ROOT
  bytes.writeBigUInt64LE(node, 0)
  bytes.writeBigUInt64LE(isRoot ? 0n : BigInt(content.length), 8)
  bytes.writeUInt32LE(isRoot ? 0o40755 : 0o100755, 60)
  bytes.writeUInt32LE(1, 64)
  bytes.writeUInt32LE(4096, 80)
  return bytes
}

function words(...values: bigint[]): Buffer {
  return Buffer.from(new BigUint64Array(values).buffer)
}

/** What answers a request; an error is a number. */
function answer(opcode: number, node: bigint, body: Buffer): Buffer | number {
  switch (opcode) {
    case INIT: {
      const bytes = Buffer.alloc(64)
      bytes.writeUInt32LE(7, 0)
      bytes.writeUInt32LE(31, 4)
      // Most bytes of a write(2).
      bytes.writeUInt32LE(65_536, 20)
      return bytes
    }
    case LOOKUP:
      if (node !== ROOT || body.toString('latin1') !== `${name}\0`) return ENOENT
      return Buffer.concat([words(PROGRAM, 0n, VALID_S, VALID_S, 0n), attributes(PROGRAM)])
    case GETATTR:
      return Buffer.concat([words(VALID_S, 0n), attributes(node)])
    case OPEN:
    case OPENDIR:
      return words(1n, 0n)
    case READ: {
      const from = Number(body.readBigUInt64LE(8))
      return content.subarray(from, from + body.readUInt32LE(16))
    }
    default:
      return ENOSYS
  }
}

const request = Buffer.alloc(1 << 17)
for (;;) {
  const length = readSync(fd, request)
  const opcode = request.readUInt32LE(4)
  // Nobody waits for an answer to these.
  if (opcode === FORGET || opcode === BATCH_FORGET || opcode === INTERRUPT) continue
  const result = answer(opcode, request.readBigUInt64LE(16), request.subarray(HEADER_BYTES, length))
  const body = typeof result === 'number' ? Buffer.alloc(0) : result
  const header = Buffer.alloc(16)
  header.writeUInt32LE(16 + body.length, 0)
  header.writeInt32LE(typeof result === 'number' ? -result : 0, 4)
  request.copy(header, 8, 8, 16)
  writeSync(fd, Buffer.concat([header, body]))
}
