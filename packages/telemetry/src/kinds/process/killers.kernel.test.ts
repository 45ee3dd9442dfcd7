import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Quark } from '../../quark.js'
import type { Killer, Process } from '../../process/process.js'
import { findCgroupHierarchy } from '../../process/procfs/cgroup-mounts.js'
import { collectUntilExit } from '../../testing/scenario.js'

const USER = 1000

/** Runs a process to its end, and returns what its last event says. `kill` is called when it runs. */
async function lastOf(quark: Quark, script: string, kill?: (child: ChildProcess) => void): Promise<Process> {
  const child = spawn('/bin/sh', ['-c', script], {
    stdio: ['ignore', 'pipe', 'ignore'],
    uid: USER,
    gid: USER,
  })
  if (kill !== undefined) {
    await once(child.stdout, 'data')
    kill(child)
  }
  const events = await collectUntilExit(quark, child.pid ?? 0)
  const last = events.findLast(({ process }) => process?.pid === child.pid)
  assert.ok(last?.process !== undefined)
  return last.process
}

function byProcess(pid: number | undefined, uid: number, comm: string): Killer {
  return { by: 'process', pid, uid, comm }
}

const KERNEL: Killer = { by: 'kernel', pid: undefined, uid: undefined, comm: undefined }

test('an exit says who sent the signal that ended the process', { timeout: 120_000 }, async (t) => {
  await using quark = await Quark.open({ backends: ['ebpf'], snapshot: false })
  const ready = 'echo ready;'
  const ownComm = readFileSync('/proc/self/comm', 'utf8').trim()

  await t.test('another process', async () => {
    for (const signal of ['SIGTERM', 'SIGKILL', 'SIGABRT'] as const) {
      const { killer, exitSignal } = await lastOf(quark, `${ready} exec sleep 60`, (child) =>
        child.kill(signal),
      )
      assert.deepEqual(killer, byProcess(process.pid, 0, ownComm), `${signal} ${exitSignal}`)
    }
  })

  await t.test('a process of a user, among signals that do not end it', async () => {
    let sender: ChildProcess | undefined
    const { killer } = await lastOf(quark, `trap : USR1; ${ready} while :; do sleep 0.01; done`, (child) => {
      child.kill('SIGUSR1')
      child.kill('SIGCONT')
      sender = spawn('/bin/sh', ['-c', `kill -9 ${child.pid}; :`], { uid: USER, gid: USER })
    })
    assert.deepEqual(killer, byProcess(sender?.pid, USER, 'sh'))
  })

  await t.test('the process itself', async () => {
    const { pid, killer } = await lastOf(quark, 'kill -ABRT $$')
    assert.deepEqual(killer, byProcess(pid, USER, 'sh'))
  })

  await t.test('the kernel', async () => {
    // The limit of CPU time: SIGXCPU is sent by the kernel to a process that it interrupts.
    const { killer, exitSignal } = await lastOf(quark, 'ulimit -S -t 1; while :; do :; done')
    assert.deepEqual([exitSignal, killer], [24, KERNEL])
  })

  await t.test('nobody', async () => {
    const { killer, exitCode } = await lastOf(
      quark,
      `trap 'exit 3' TERM; ${ready} while :; do sleep 0.01; done`,
      (child) => child.kill('SIGTERM'),
    )
    assert.deepEqual([exitCode, killer], [3, undefined])
  })

  await t.test('the out-of-memory killer', async (t) => {
    const cgroup = limitedCgroup()
    if (cgroup === undefined) return t.skip('no cgroup v2 with a controller of memory')
    const { path, leave } = cgroup
    try {
      const { killer, exitSignal } = await lastOf(
        quark,
        `${ready} sleep 1; x=a; while :; do x=$x$x; done`,
        (child) => writeFileSync(join(path, 'cgroup.procs'), String(child.pid)),
      )
      assert.deepEqual([exitSignal, killer], [9, { ...KERNEL, by: 'oomKiller' }])
    } finally {
      leave()
    }
  })
})

/** A cgroup in which 32 MiB are the limit; undefined where the controller of memory is not enabled. */
function limitedCgroup(): { readonly path: string; readonly leave: () => void } | undefined {
  const hierarchy = findCgroupHierarchy()
  if (hierarchy?.kind !== 'unified') return undefined
  const path = join(Buffer.from(hierarchy.mountPoint).toString(), 'quark-killers')
  try {
    writeFileSync(join(path, '..', 'cgroup.subtree_control'), '+memory')
  } catch {
    return undefined
  }
  mkdirSync(path)
  writeFileSync(join(path, 'memory.max'), String(32 << 20))
  try {
    writeFileSync(join(path, 'memory.swap.max'), '0')
  } catch {
    // There is no swap.
  }
  return { path, leave: () => rmdirSync(path) }
}
