/** Which processes the numbers in /proc stand for. */

import { existsSync } from 'node:fs'
import { parseStat } from './parse.js'
import { readLatin1, readLink } from './read.js'

/** The first pid namespace has this number on every kernel (include/linux/proc_ns.h). */
const INITIAL_NAMESPACE = 'pid:[4026531836]'
const KTHREADD = 2

/**
 * Whether the pids in /proc are those of the initial pid namespace, as the kernel reports them. In a container that
 * has a pid namespace and a /proc of its own they are not, and nothing in /proc may be joined with a record.
 */
export function hasKernelPids(procPath = '/proc'): boolean {
  // The first process of a namespace is in it. It may be another than that of this process.
  const first = readLink(`${procPath}/1/ns/pid`)
  if (first !== undefined) return first === INITIAL_NAMESPACE
  // Without rights over the first process: kernel threads are in the initial namespace only.
  const second = parseStat(readLatin1(`${procPath}/${KTHREADD}/stat`) ?? '')
  if (second !== undefined) return second.kernelThread
  return readLink(`${procPath}/self/ns/pid`) === INITIAL_NAMESPACE
}

/** Why nothing in /proc may be joined with what the kernel reports; undefined when it may. */
export function procProblem(procPath = '/proc'): string | undefined {
  if (hasKernelPids(procPath)) return undefined
  return existsSync(`${procPath}/self`)
    ? '/proc shows the pids of another pid namespace, and those that the kernel reports are of the initial one (run it in ' +
        "the host's pid namespace, with a /proc of that: docker run --pid=host)"
    : '/proc is not mounted (run: mount -t proc proc /proc)'
}
