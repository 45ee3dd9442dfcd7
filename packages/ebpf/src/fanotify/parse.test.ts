import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { FAN_CREATE, FAN_ONDIR, FAN_RENAME, type FileHandle, inodeOfHandle, parseFanotify } from './parse.js'

function handle(type: number, bytes: Buffer): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt32LE(bytes.length, 0)
  header.writeInt32LE(type, 4)
  return Buffer.concat([header, bytes])
}

function info(type: number, fsid: bigint, file: Buffer, name?: string): Buffer {
  const head = Buffer.alloc(12)
  head[0] = type
  head.writeBigUInt64LE(fsid, 4)
  const text = name === undefined ? Buffer.alloc(0) : Buffer.from(`${name}\0`, 'latin1')
  const whole = Buffer.concat([head, file, text])
  const padded = Buffer.concat([whole, Buffer.alloc((4 - (whole.length % 4)) % 4)])
  padded.writeUInt16LE(padded.length, 2)
  return padded
}

function event(mask: number, pid: number, ...infos: Buffer[]): Buffer {
  const metadata = Buffer.alloc(24)
  metadata[4] = 3
  metadata.writeUInt16LE(24, 6)
  metadata.writeBigUInt64LE(BigInt(mask), 8)
  metadata.writeInt32LE(-1, 16)
  metadata.writeInt32LE(pid, 20)
  const whole = Buffer.concat([metadata, ...infos])
  whole.writeUInt32LE(whole.length, 0)
  return whole
}

const FILE = handle(1, Buffer.from([7, 0, 0, 0, 9, 0, 0, 0]))
const DIRECTORY = handle(1, Buffer.from([2, 0, 0, 0, 1, 0, 0, 0]))

test('parseFanotify() reads files, directories and names, of moves both', () => {
  const bytes = Buffer.concat([
    event(FAN_CREATE, 42, info(1, 5n, FILE), info(2, 5n, DIRECTORY, 'n\xff"')),
    event(
      FAN_RENAME | FAN_ONDIR,
      43,
      info(10, 5n, DIRECTORY, 'old'),
      info(12, 5n, DIRECTORY, 'new'),
      info(1, 5n, FILE),
    ),
  ])
  const [created, moved, ...rest] = parseFanotify(bytes, bytes.length)
  assert.deepEqual(rest, [])
  assert.deepEqual([created?.mask, created?.pid, created?.at?.name], [FAN_CREATE, 42, 'n\xff"'])
  assert.deepEqual(inodeOfHandle(created?.file as FileHandle), { inode: 7n, generation: 9 })
  assert.deepEqual([moved?.from?.name, moved?.at?.name], ['old', 'new'])
  assert.equal(moved?.from?.directory.key, created?.at?.directory.key)
  assert.notEqual(moved?.file?.key, created?.at?.directory.key)
  assert.deepEqual(moved?.file?.handle, FILE)
})

test('inodeOfHandle() knows the forms of several file systems, and no others', () => {
  const of = (type: number, bytes: Buffer) => {
    const [one] = parseFanotify(event(1, 1, info(1, 0n, handle(type, bytes))), 24 + 12 + 8 + bytes.length)
    return one?.file === undefined ? undefined : inodeOfHandle(one.file)
  }
  const words = (...numbers: number[]) => Buffer.from(Uint32Array.from(numbers).buffer)
  assert.deepEqual(of(1, words(9, 7, 1)), { inode: (1n << 32n) | 7n, generation: 9 }, 'tmpfs')
  assert.deepEqual(of(0x81, words(7, 1, 9)), { inode: (1n << 32n) | 7n, generation: 9 }, 'xfs')
  assert.deepEqual(of(0x4d, words(7, 1, 0, 0, 9)), { inode: (1n << 32n) | 7n, generation: 9 }, 'btrfs')
  assert.equal(of(0xf8, words(1, 2, 3, 4)), undefined)
})

test('parseFanotify() never throws, whatever the bytes', () => {
  const good = event(FAN_CREATE, 42, info(1, 5n, FILE), info(2, 5n, DIRECTORY, 'name'))
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 }))),
      fc.nat({ max: good.length }),
      (flips, length) => {
        const bytes = Buffer.from(good)
        for (const [at, value] of flips) bytes[at] = value
        for (const { file } of parseFanotify(bytes, length)) if (file !== undefined) inodeOfHandle(file)
      },
    ),
    { numRuns: 3000 },
  )
})

test('parseFanotify() leaves out files of directories that are not wanted, and none behind a directory that moved', () => {
  const entry = (name: string) => info(2, 5n, DIRECTORY, name)
  const made = (pid: number, name: string, mask = FAN_CREATE) => event(mask, pid, entry(name))
  const asked: string[] = []
  const namesOf = (skip: (pid: number, directory: string) => boolean, ...events: Buffer[]) => {
    const bytes = Buffer.concat(events)
    return parseFanotify(bytes, bytes.length, skip).map(({ at }) => at?.name)
  }
  const none = (pid: number, directory: string): boolean => {
    asked.push(directory)
    return pid !== 9
  }
  assert.deepEqual(namesOf(none, made(7, 'a'), made(9, 'b'), made(7, 'c', FAN_CREATE | FAN_ONDIR)), [
    'b',
    'c',
  ])
  const [{ at } = {}] = parseFanotify(made(7, 'a'), made(7, 'a').length)
  assert.deepEqual(asked, [at?.directory.key, at?.directory.key])
  const moved = event(FAN_RENAME | FAN_ONDIR, 7, info(10, 5n, DIRECTORY, 'd'), info(12, 5n, DIRECTORY, 'e'))
  assert.deepEqual(namesOf(none, made(7, 'a'), moved, made(7, 'f')), ['e', 'f'])
  // Of a move both directories count.
  const other = handle(1, Buffer.from([3, 0, 0, 0, 1, 0, 0, 0]))
  const across = event(FAN_RENAME, 7, info(10, 5n, DIRECTORY, 'd'), info(12, 5n, other, 'e'))
  const [{ from } = {}] = parseFanotify(across, across.length)
  assert.deepEqual(
    namesOf((_pid, directory) => directory === from?.directory.key, across),
    ['e'],
  )
  assert.deepEqual(
    namesOf(() => true, across),
    [],
  )
  assert.deepEqual(
    namesOf(() => true, event(FAN_CREATE, 7, info(1, 5n, FILE))),
    [undefined],
  )
})
