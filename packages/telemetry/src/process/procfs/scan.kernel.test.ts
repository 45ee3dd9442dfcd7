import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { Clock } from '../../pipeline/clock.js'
import { sleepingProgram } from '../../testing/elf.js'
import { memfd } from '../../testing/native.js'
import { type ScrapedProcess, scanProcesses, scrapeProcess } from './scan.js'

const limits = { maxArgvBytes: 1024, maxEnvBytes: 1024, hierarchy: 'unified' } as const
const top = mkdtempSync(join(tmpdir(), 'quark-procfs-'))
const children = new Set<ChildProcess>()
after(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(top, { recursive: true })
})

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1')
}

/** Runs a program until the tests are over; returns when it was executed. */
async function start(program: string, cwd = top): Promise<number> {
  const child = spawn(program, { cwd, env: { QUARK: 'test' }, stdio: 'ignore' })
  children.add(child)
  await once(child, 'spawn')
  assert.ok(child.pid !== undefined)
  return child.pid
}

function scrape(pid: number): ScrapedProcess {
  const scraped = scrapeProcess(pid, limits)
  assert.ok(scraped !== undefined)
  return scraped
}

/** A program that sleeps. */
function sleeperAt(name: string): string {
  const path = join(top, name)
  writeFileSync(path, sleepingProgram(), { mode: 0o755 })
  return path
}

test('a scan finds this process as it is', () => {
  const clock = Clock.system()
  const self = [...scanProcesses(limits)].find(({ pid }) => pid === process.pid)
  assert.ok(self !== undefined)
  const inode = (name: string): number => statSync(`/proc/self/ns/${name}`).ino
  assert.deepEqual(
    {
      ppid: self.ppid,
      ids: [self.uid, self.euid, self.gid, self.egid],
      namespaces: [self.utsNs, self.ipcNs, self.mntNs, self.netNs],
      exe: text(self.exe),
      cwd: text(self.cwd),
      argv: text(self.argv)?.split('\0')[0],
      kernelThread: self.kernelThread,
      ended: self.ended,
    },
    {
      ppid: process.ppid,
      ids: [process.getuid?.(), process.geteuid?.(), process.getgid?.(), process.getegid?.()],
      namespaces: ['uts', 'ipc', 'mnt', 'net'].map(inode),
      exe: readlinkSync('/proc/self/exe'),
      cwd: process.cwd(),
      argv: process.argv0,
      kernelThread: false,
      ended: false,
    },
  )
  assert.ok(self.startBootNs !== undefined && self.startBootNs > 0n && self.startBootNs < clock.openBootNs)
})

test('removed programs and directories are reported without the mark of the kernel', async () => {
  const program = sleeperAt('removed')
  const cwd = join(top, 'directory')
  mkdirSync(cwd)
  const pid = await start(program, cwd)
  assert.deepEqual(
    [text(scrape(pid).exe), scrape(pid).exeDeleted, text(scrape(pid).cwd)],
    [program, false, cwd],
  )

  unlinkSync(program)
  rmdirSync(cwd)
  const { exe, exeDeleted, cwd: where, env } = scrape(pid)
  assert.deepEqual([text(exe), exeDeleted, text(where), text(env)], [program, true, cwd, 'QUARK=test\0'])
})

test('a program that keeps another name is removed, and a name like the mark is a name', async () => {
  const program = sleeperAt('linked')
  linkSync(program, join(top, 'other'))
  const pid = await start(program)
  unlinkSync(program)
  assert.deepEqual([text(scrape(pid).exe), scrape(pid).exeDeleted], [program, true])

  const odd = sleeperAt('odd (deleted)')
  const oddPid = await start(odd)
  assert.deepEqual([text(scrape(oddPid).exe), scrape(oddPid).exeDeleted], [odd, false])
  unlinkSync(odd)
  assert.deepEqual([text(scrape(oddPid).exe), scrape(oddPid).exeDeleted], [odd, true])
})

test('a memfd has a name and no place', async () => {
  const fd = memfd('a/b', sleepingProgram())
  const pid = await start(`/proc/self/fd/${fd}`)
  closeSync(fd)
  assert.deepEqual([text(scrape(pid).exe), scrape(pid).exeDeleted], ['memfd:a/b', false])
})

test('kernel threads are recognised', () => {
  const kthreadd = scrape(2)
  assert.deepEqual(
    [text(kthreadd.comm), kthreadd.kernelThread, kthreadd.ppid, kthreadd.exe, kthreadd.argv],
    ['kthreadd', true, 0, undefined, undefined],
  )
})

test('a zombie has ended', async () => {
  // The shell becomes a program that never asks for the status of its child, and only then the child ends.
  const script = 'exec 3<&0; read -r line <&3 & echo $!; exec ./parent'
  sleeperAt('parent')
  const child = spawn('/bin/sh', ['-c', script], {
    cwd: top,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  children.add(child)
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const pid = Number(line.toString())
  while (text(scrape(child.pid ?? 0).comm) !== 'parent') await setTimeout(1)
  child.stdin.end()
  while (scrape(pid).ended !== true) await setTimeout(1)

  const { ppid, exe, cwd, argv, uid } = scrape(pid)
  assert.deepEqual(
    [ppid, exe, cwd, argv, uid],
    [child.pid, undefined, undefined, undefined, process.getuid?.()],
  )
})

/** Runs a program of Node until the tests are over; returns its pid when it has written something. */
async function startNode(program: string, ...args: string[]): Promise<number> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program, ...args], {
    cwd: top,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  await once(child.stdout, 'data')
  assert.ok(child.pid !== undefined)
  return child.pid
}

test('a title that was written over the arguments is all that they are, and empty arguments are kept', async () => {
  const titled = await startNode(
    "process.title = 'worker: idle'; setTimeout(() => {}, 1e9); console.log(1)",
    'x'.repeat(500),
  )
  assert.equal(text(scrape(titled).argv), 'worker: idle\0')
  const cut = scrapeProcess(titled, { ...limits, maxArgvBytes: 64 })
  assert.equal(text(cut?.argv), 'worker: idle\0')

  const child = spawn('sh', ['-c', 'sleep 1000; :', '', '', ''], { stdio: 'ignore' })
  children.add(child)
  await once(child, 'spawn')
  assert.equal(text(scrape(child.pid as number).argv), 'sh\0-c\0sleep 1000; :\0\0\0\0')
})

test('a process whose first thread has ended has what its other threads have', async () => {
  const koffi = JSON.stringify(import.meta.resolve('koffi'))
  const pid = await startNode(`
    import koffi from ${koffi}
    import { writeSync } from 'node:fs'
    import { Worker } from 'node:worker_threads'
    await new Promise((resolve) => new Worker('setInterval(() => {}, 1e9)', { eval: true }).on('online', resolve))
    writeSync(1, 'x')
    // exit(2), which ends this thread only
    koffi.load(null).func('syscall', 'long', ['long', 'long'])(process.arch === 'arm64' ? 93 : 60, 0)
  `)
  const isGone = (): boolean => /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
  while (!isGone()) await setTimeout(10)
  const found = scrape(pid)
  const own = scrape(process.pid)
  assert.equal(text(found.exe), text(own.exe))
  assert.equal(text(found.cwd), top)
  assert.match(text(found.argv) ?? '', /--eval/)
  assert.deepEqual(
    [found.utsNs, found.ipcNs, found.mntNs, found.netNs],
    [own.utsNs, own.ipcNs, own.mntNs, own.netNs],
  )
  assert.equal(found.ended, false)
})
