/** Whether 64-bit programs can make 32-bit calls here: it depends on the processor and on how the kernel was built. */

import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { COMPAT, repeatingProgram } from './elf.js'
import { machineOf } from './machine.js'
import { makeDirectory, writeProgram } from './scenario.js'

/** getpid(2) of 32-bit programs (arch/x86/entry/syscalls/syscall_32.tbl). */
const I386_GETPID = 20

let known: boolean | undefined

export function hasCompatCalls(): boolean {
  known ??= machineOf().compatCall !== undefined && tryCall()
  return known
}

function tryCall(): boolean {
  const directory = makeDirectory('compat')
  try {
    const program = writeProgram(directory, 'compat', repeatingProgram(1, [[COMPAT, I386_GETPID]]))
    return spawnSync(program, { timeout: 10_000 }).status === 0
  } finally {
    rmSync(directory, { recursive: true })
  }
}
