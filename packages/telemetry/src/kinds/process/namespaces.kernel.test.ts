import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync, rmSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { Quark, type QuarkEvent } from '../../index.js'
import type { Process } from '../../process/process.js'
import { sleepingProgram } from '../../testing/elf.js'
import { kprobeTest } from '../../testing/kprobe-test.js'
import { makeDirectory, writeProgram } from '../../testing/scenario.js'

const INITIAL_USER_NS = 0xefff_fffd
const NAMES = ['user', 'pid', 'cgroup', 'time'] as const

/** The inodes of a process's namespaces as /proc shows them; undefined for what this kernel has not. */
function shown(pid: number): (number | undefined)[] {
  return NAMES.map((name) => {
    try {
      return Number(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/${name}`))?.[0])
    } catch {
      return undefined
    }
  })
}

function namespacesOf({ userNs, pidNs, cgroupNs, timeNs }: Process): (number | undefined)[] {
  return [userNs, pidNs, cgroupNs, timeNs]
}

let directory = ''
let program = ''
before(() => {
  directory = makeDirectory('namespaces')
  program = writeProgram(directory, 'sleeper', sleepingProgram())
})
after(() => {
  rmSync(directory, { recursive: true })
})

async function compare(backend: 'ebpf' | 'kprobe' | 'procConnector'): Promise<void> {
  const ways = [['-Ur'], ['-p', '-f', '--kill-child'], ['-C'], []]
  const quark = await Quark.open({ backends: [backend], holdMs: 50 })
  const events: QuarkEvent[] = []
  const children = ways.map((way) => spawn('unshare', [...way, program], { stdio: 'ignore' }))
  try {
    for (let tries = 0; tries < 100; tries++) {
      events.push(...quark.poll())
      const found = events.filter((event) => event.kind === 'process' && event.process.exe === program)
      if (found.length === ways.length) break
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    const seen = events.flatMap((event) =>
      event.kind === 'process' && event.process.exe === program ? [event.process] : [],
    )
    assert.equal(seen.length, ways.length)
    for (const process of seen) {
      const expected = shown(process.pid)
      assert.deepEqual(namespacesOf(process), expected)
      assert.equal(process.capabilitiesInUserNs, expected[0] !== INITIAL_USER_NS)
    }
    const differing = NAMES.map((_, i) => new Set(seen.map((process) => namespacesOf(process)[i])).size)
    assert.deepEqual(differing.slice(0, 3), [2, 2, 2])
    // A scan finds the same.
    await using other = await Quark.open({ backends: [backend], snapshot: true })
    for (const process of seen) {
      const found = other.lookup(process.pid)
      assert.ok(found !== undefined)
      assert.deepEqual(namespacesOf(found), namespacesOf(process))
      assert.equal(found.capabilitiesInUserNs, process.capabilitiesInUserNs)
    }
  } finally {
    await quark.close()
    for (const child of children) child.kill('SIGKILL')
    await Promise.all(children.map((child) => child.exitCode ?? child.signalCode ?? once(child, 'exit')))
  }
}

/** The one of busybox makes no cgroup namespaces. */
const hasUnshare = spawnSync('unshare', ['-C', '/bin/sh', '-c', ':']).status === 0
const NEEDED = 'needs unshare(1) of util-linux'
const LIMIT = { timeout: 60_000, skip: hasUnshare ? false : NEEDED }

test('namespaces are distinguished, and where capabilities hold', LIMIT, () => compare('ebpf'))
test('the proc connector distinguishes namespaces, too', LIMIT, () => compare('procConnector'))
kprobeTest('kprobes distinguish namespaces, too', (t) => (hasUnshare ? compare('kprobe') : t.skip(NEEDED)))
