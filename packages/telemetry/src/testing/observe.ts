/** Reads from /proc what is true of a process that sleeps. */

import { readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { machineOf } from './machine.js'
import type { Truth } from './truth.js'

const DELETED = ' (deleted)'

function read(pid: number, file: string): string {
  return readFileSync(`/proc/${pid}/${file}`, 'latin1')
}

function link(pid: number, file: string): string {
  return readlinkSync(`/proc/${pid}/${file}`, 'buffer').toString('latin1')
}

/** Waits until the process sleeps in ppoll(2), as the test programs do when they did their work. */
export async function untilAsleep(pid: number): Promise<void> {
  const ppoll = String(machineOf().callNumbers.ppoll)
  while (read(pid, 'syscall').split(' ')[0] !== ppoll) {
    await sleep(1)
  }
}

/** Fields of /proc/pid/stat after the name, which may hold anything; index 0 is the state. */
function statFields(pid: number): string[] {
  const stat = read(pid, 'stat')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function statusOf(pid: number): Map<string, string[]> {
  const lines = read(pid, 'status').split('\n')
  return new Map(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [
        line.slice(0, colon),
        line
          .slice(colon + 1)
          .trim()
          .split(/\s+/),
      ]
    }),
  )
}

function three(words: readonly string[] = []): [number, number, number] {
  return [Number(words[0]), Number(words[1]), Number(words[2])]
}

/** NUL-terminated strings. */
function strings(bytes: string): string[] {
  return bytes === '' ? [] : bytes.slice(0, bytes.endsWith('\0') ? -1 : undefined).split('\0')
}

/** Everything about a process that both /proc and events have. */
export function observe(step: string, pid: number): Truth {
  const fields = statFields(pid)
  const [ppid, pgid, sid] = three(fields.slice(1))
  const status = statusOf(pid)
  const [uid, euid, suid] = three(status.get('Uid'))
  const [gid, egid, sgid] = three(status.get('Gid'))
  const root = link(pid, 'root')
  return {
    step,
    pid,
    startTicks: Number(fields[19]),
    ppid,
    pgid,
    sid,
    uid,
    euid,
    suid,
    gid,
    egid,
    sgid,
    capPermitted: status.get('CapPrm')![0]!,
    capEffective: status.get('CapEff')![0]!,
    capBounding: status.get('CapBnd')![0]!,
    comm: read(pid, 'comm').slice(0, -1),
    exe: executable(link(pid, 'exe'), root),
    cwd: within(root, withoutMark(link(pid, 'cwd'))),
    root,
    argv: strings(read(pid, 'cmdline')),
    env: strings(read(pid, 'environ')),
  }
}

function withoutMark(path: string): string {
  return path.endsWith(DELETED) ? path.slice(0, -DELETED.length) : path
}

/** A link of another process is relative to the reader's root: make it relative to the process's. */
function within(root: string, path: string): string {
  return root === '/' ? path : path.slice(root.length) || '/'
}

function executable(path: string, root: string): string {
  const name = withoutMark(path)
  return name.startsWith('/memfd:') ? name.slice(1) : within(root, name)
}
