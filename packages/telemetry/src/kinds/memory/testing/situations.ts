import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ActivityFacts, activitiesOf } from '../../../testing/activities.js'
import { hasCompatCalls } from '../../../testing/compat.js'
import { COMPAT, LAST_RESULT, repeatingProgram, type Step } from '../../../testing/elf.js'
import { addressOf, cstring, numberOf, rawCall } from '../../../testing/raw-calls.js'
import { makeDirectory, writeProgram } from '../../../testing/scenario.js'
import type { SituationsOf } from '../../../testing/situations.js'

const BYTES = 4096
const R = 1
const RW = 3
const RX = 5
const RWX = 7
const PRIVATE_FIXED = 0x12
const SHARED_FIXED = 0x11
const ANONYMOUS = 0x32
const NO_FILE = 0xffff_ffff
const FILE = 3
const MEMFD = 4
const SHM_EXEC = 0o100000
const READ_IMPLIES_EXEC = 0x40_0000
/** mprotect(2) of 32-bit programs (arch/x86/entry/syscalls/syscall_32.tbl). */
const I386_MPROTECT = 125

/** It is not seen. */
export const COMPAT_CALL = 'mprotect(2) by int 0x80'

/** Where the programs have their memory. */
const [A, B, C, D, E, F] = [0x1000_0000, 0x1100_0000, 0x1200_0000, 0x1300_0000, 0x1400_0000, 0x1500_0000]

const mmap = (address: number, protection: number, flags: number, fd: number): Step => [
  numberOf('mmap'),
  address,
  BYTES,
  protection,
  flags,
  fd,
  0,
]
const mprotect = (address: number, protection: number): Step => [
  numberOf('mprotect'),
  address,
  BYTES,
  protection,
]

/** What the programs do; the first one executes the second. */
function programs(
  key: number,
  second: string,
): Readonly<Record<'first' | 'second' | 'implied' | 'compat', Step[]>> {
  return {
    first: [
      mmap(A, RW, ANONYMOUS, NO_FILE),
      mprotect(A, RX),
      mprotect(A, RX),
      mprotect(A, RW),
      mprotect(1, RWX),
      mprotect(A, RWX),
      [numberOf('pkey_mprotect'), A, BYTES, RX, NO_FILE],
      mmap(B, RX, ANONYMOUS, NO_FILE),
      mmap(C, RX, PRIVATE_FIXED, FILE),
      mmap(D, RWX, PRIVATE_FIXED, FILE),
      mmap(D, RWX, ANONYMOUS, NO_FILE),
      mmap(E, RX, SHARED_FIXED, MEMFD),
      [numberOf('shmget'), key, BYTES, 0o1700],
      [numberOf('shmat'), LAST_RESULT, F, SHM_EXEC],
      [numberOf('shmget'), key, BYTES, 0o700],
      [numberOf('shmctl'), LAST_RESULT, 0, 0],
      ['execve', second, 0, 0],
    ],
    second: [mmap(A, RW, ANONYMOUS, NO_FILE), mprotect(A, RX)],
    implied: [[numberOf('personality'), READ_IMPLIES_EXEC], mmap(A, R, SHARED_FIXED, MEMFD)],
    compat: [mmap(A, RW, ANONYMOUS, NO_FILE), [COMPAT, I386_MPROTECT, A, BYTES, RX]],
  }
}

async function run(): Promise<ActivityFacts> {
  const directory = makeDirectory('memory')
  const memfd = rawCall('memfd_create', addressOf(cstring('code')), 1)
  rawCall('ftruncate', memfd, BYTES)
  const path = join(directory, 'data')
  writeFileSync(path, Buffer.alloc(BYTES))
  const file = openSync(path, 'r')
  try {
    const steps = programs(0x6d65_0000 | (process.pid & 0xffff), join(directory, 'second'))
    const pids: Record<string, number> = {}
    for (const [name, calls] of Object.entries(steps))
      writeProgram(directory, name, repeatingProgram(1, calls))
    for (const name of ['first', 'implied', ...(hasCompatCalls() ? ['compat'] : [])]) {
      const child = spawn(join(directory, name), [], {
        stdio: ['ignore', 'ignore', 'inherit', file, memfd],
        timeout: 60_000,
      })
      pids[name] = child.pid ?? 0
      const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
      if (code !== 0) throw new Error(`${name} ended with ${code ?? signal}`)
    }
    return { ...pids, pid: pids['first'] ?? 0, path }
  } finally {
    for (const fd of [file, memfd]) closeSync(fd)
    rmSync(directory, { recursive: true })
  }
}

/** What programs do with their memory that do nothing else: each sort of call is reported once. */
export const situations: SituationsOf = {
  options: { executableMemory: true },
  run,
  observe: ({ pid, path, ...facts }, events) => {
    const at = (address: number, call: string): object => ({
      pid,
      address: BigInt(address),
      call,
      sizeBytes: BYTES,
    })
    const writable = true
    const seenOf = (name: string): readonly unknown[] =>
      facts[name] === undefined ? [] : activitiesOf(events, 'executableMemory', Number(facts[name]))
    return {
      situations: [
        { name: 'mmap(2) of memory that is not executable', expected: [] },
        { name: 'mprotect(2) makes it executable', expected: [{ ...at(A, 'mprotect') }] },
        { name: 'mprotect(2) once more, back, and a failure', expected: [] },
        {
          name: 'mprotect(2), writable and executable',
          expected: [{ ...at(A, 'mprotect'), writable }],
        },
        { name: 'pkey_mprotect(2)', expected: [{ ...at(A, 'pkey_mprotect') }] },
        { name: 'mmap(2) of executable memory', expected: [{ ...at(B, 'mmap') }] },
        { name: 'mmap(2) of a file, as libraries are', expected: [] },
        {
          name: 'mmap(2) of a file, writable and executable',
          expected: [{ ...at(D, 'mmap'), writable, file: path }],
        },
        { name: 'the same once more, without a file', expected: [] },
        {
          name: 'mmap(2) of a memfd',
          expected: [{ ...at(E, 'mmap'), file: 'memfd:code' }],
        },
        {
          name: 'shmat(2) with SHM_EXEC',
          expected: [{ pid, address: BigInt(F), call: 'shmat', writable }],
        },
        { name: 'mprotect(2) after another exec', expected: [{ ...at(A, 'mprotect') }] },
        {
          name: 'mmap(2) where what can be read can be executed',
          expected: [{ ...at(A, 'mmap'), pid: facts['implied'], implied: true, file: 'memfd:code' }],
        },
        ...(facts['compat'] === undefined
          ? []
          : [
              {
                name: COMPAT_CALL,
                expected: [{ ...at(A, 'mprotect'), pid: facts['compat'] }],
              },
            ]),
      ],
      seen: [
        ...activitiesOf(events, 'executableMemory', pid).map(({ segment: _segment, ...event }) => event),
        ...(seenOf('implied') as object[]),
        ...(seenOf('compat') as object[]),
      ] as readonly Readonly<Record<string, unknown>>[],
    }
  },
}
