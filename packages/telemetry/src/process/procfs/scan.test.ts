import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type ScrapedProcess, scanProcesses, scrapeProcess } from './scan.js'

const top = mkdtempSync(join(tmpdir(), 'quark-procfs-'))
after(() => rmSync(top, { recursive: true }))

const limits = { maxArgvBytes: 1024, maxEnvBytes: 1024, hierarchy: 'unified' } as const

interface Fake {
  readonly stat?: string
  readonly files?: Readonly<Record<string, string | Buffer>>
  readonly links?: Readonly<Record<string, string | Buffer>>
}

function stat(pid: number, { comm = 'a', state = 'S', flags = 0, threads = 1 } = {}): string {
  return `${pid} (${comm}) ${state} 1 2 3 0 -1 ${flags} 0 0 0 0 0 0 0 0 20 0 ${threads} 0 500 0 0\n`
}

const STATUS = `Name:\ta
Uid:\t1\t2\t3\t2
Gid:\t4\t5\t6\t5
CapInh:\t0000000000000000
CapPrm:\t0000000000000001
CapEff:\t0000000000000002
CapBnd:\t0000000000000003
CapAmb:\t0000000000000004
`

let trees = 0

/** A tree like /proc with these processes. */
function fakeProc(processes: Readonly<Record<number, Fake>>): string {
  const procPath = join(top, `proc${trees++}`)
  mkdirSync(procPath)
  writeFileSync(join(procPath, 'uptime'), '1.00 1.00\n')
  for (const [pid, { stat, files = {}, links = {} }] of Object.entries(processes)) {
    const directory = join(procPath, pid)
    mkdirSync(join(directory, 'ns'), { recursive: true })
    if (stat !== undefined) writeFileSync(join(directory, 'stat'), stat, 'latin1')
    for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content)
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(directory, name))
  }
  return procPath
}

function scrapeFake(fake: Fake, options: { maxArgvBytes?: number } = {}): ScrapedProcess {
  const scraped = scrapeProcess(7, { ...limits, ...options, procPath: fakeProc({ 7: fake }) })
  assert.ok(scraped !== undefined)
  return scraped
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'))
}

test('scrapeProcess() reads everything that is there', () => {
  const scraped = scrapeFake({
    stat: stat(7),
    files: { status: STATUS, cmdline: 'cat\0-n\0', environ: 'A=1\0', cgroup: '4:memory:/m\n0::/a.scope\n' },
    links: {
      exe: '/usr/bin/cat',
      cwd: '/tmp',
      root: '/',
      'ns/uts': 'uts:[11]',
      'ns/ipc': 'ipc:[12]',
      'ns/mnt': 'mnt:[13]',
      'ns/net': 'net:[14]',
      'ns/user': 'user:[15]',
      'ns/pid': 'pid:[16]',
      'ns/cgroup': 'cgroup:[17]',
      'ns/time': 'time:[18]',
    },
  })
  assert.deepEqual(scraped, {
    pid: 7,
    startBootNs: 5_000_000_000n,
    ppid: 1,
    pgid: 2,
    sid: 3,
    uid: 1,
    euid: 2,
    suid: 3,
    gid: 4,
    egid: 5,
    sgid: 6,
    capInheritable: 0n,
    capPermitted: 1n,
    capEffective: 2n,
    capBounding: 3n,
    capAmbient: 4n,
    ttyMajor: 0,
    ttyMinor: 0,
    utsNs: 11,
    ipcNs: 12,
    mntNs: 13,
    netNs: 14,
    userNs: 15,
    pidNs: 16,
    cgroupNs: 17,
    timeNs: 18,
    kernelThread: false,
    ended: false,
    comm: bytes('a'),
    exe: bytes('/usr/bin/cat'),
    exeDeleted: false,
    cwd: bytes('/tmp'),
    root: bytes('/'),
    argv: bytes('cat\0-n\0'),
    argvSizeBytes: 7,
    env: bytes('A=1\0'),
    envSizeBytes: 4,
    cgroup: bytes('/a.scope'),
  })
})

test('bytes survive as they are', () => {
  const odd = '/\xff\xfe/\xc3'
  const scraped = scrapeFake({
    stat: stat(7, { comm: ') (\n\xff' }),
    files: { cmdline: Buffer.from('\xff\0', 'latin1'), cgroup: Buffer.from(`0::${odd}\n`, 'latin1') },
    links: { exe: Buffer.from(odd, 'latin1'), cwd: Buffer.from(odd, 'latin1') },
  })
  assert.deepEqual(scraped.comm, bytes(') (\n\xff'))
  assert.deepEqual(scraped.exe, bytes(odd))
  assert.deepEqual(scraped.cwd, bytes(odd))
  assert.deepEqual(scraped.cgroup, bytes(odd))
  assert.deepEqual(scraped.argv, bytes('\xff\0'))
})

test('what cannot be read is absent', () => {
  const known = (process: ScrapedProcess) =>
    Object.entries(process)
      .filter(([, value]) => value !== undefined && value !== false)
      .map(([name]) => name)
  assert.deepEqual(known(scrapeFake({ files: { status: 'Name:\n' } })), ['pid'])
  assert.deepEqual(known(scrapeFake({ stat: '7 (a) S 1 2', files: { cmdline: 'a\0' } })), [
    'pid',
    'argv',
    'argvSizeBytes',
  ])
  assert.deepEqual(known(scrapeFake({ stat: 'garbage', files: { cmdline: '', cgroup: 'x' } })), ['pid'])
})

test('a process without stat and status is gone', () => {
  const procPath = fakeProc({ 7: { files: { cmdline: 'a\0' } } })
  assert.equal(scrapeProcess(7, { ...limits, procPath }), undefined)
  assert.equal(scrapeProcess(8, { ...limits, procPath }), undefined)
})

test('kernel threads and zombies have no memory', () => {
  const files = { cmdline: 'a\0', environ: 'A=1\0', cgroup: '0::/x (deleted)\n' }
  const links = { exe: '/bin/a', cwd: '/', root: '/' }

  const kthread = scrapeFake({ stat: stat(7, { comm: 'kthreadd', flags: 0x200000 }), files, links })
  assert.equal(kthread.kernelThread, true)
  assert.deepEqual([kthread.exe, kthread.argv, kthread.env], [undefined, undefined, undefined])
  assert.deepEqual(kthread.cgroup, bytes('/x (deleted)'))

  const zombie = scrapeFake({ stat: stat(7, { state: 'Z' }), files, links })
  assert.equal(zombie.ended, true)
  assert.deepEqual([zombie.exe, zombie.cwd, zombie.argv], [undefined, undefined, undefined])
  assert.deepEqual(zombie.cgroup, bytes('/x'), 'the cgroup of a zombie may be removed')
})

test('long argv is cut, and its size is reported', () => {
  const cmdline = Buffer.alloc(200_000, 'x')
  const cut = scrapeFake({ stat: stat(7), files: { cmdline } }, { maxArgvBytes: 100_000 })
  assert.deepEqual([cut.argv?.length, cut.argvSizeBytes], [100_000, 200_000])

  const whole = scrapeFake({ stat: stat(7), files: { cmdline } }, { maxArgvBytes: 200_000 })
  assert.deepEqual([whole.argv?.length, whole.argvSizeBytes], [200_000, 200_000])

  const none = scrapeFake({ stat: stat(7), files: { cmdline } }, { maxArgvBytes: 0 })
  assert.deepEqual([none.argv, none.argvSizeBytes], [undefined, undefined])
})

test('paths begin at the root of the process', () => {
  const cases = [
    { root: '/jail', exe: '/jail/bin/sh', cwd: '/jail', expected: ['/bin/sh', '/'] },
    { root: '/jail', exe: '/jailer/bin/sh', cwd: '/', expected: ['/jailer/bin/sh', '/'] },
    { root: '/', exe: '/bin/sh', cwd: '/tmp', expected: ['/bin/sh', '/tmp'] },
  ]
  for (const { expected, ...links } of cases) {
    const { exe, cwd } = scrapeFake({ stat: stat(7), links })
    assert.deepEqual([exe, cwd], expected.map(bytes))
  }
})

test('a name that ends like the mark of removed files is distinguished from the mark', () => {
  // The tree's links lead to names, not to files as those in /proc do: a link to an existing name is a name.
  const real = join(top, 'real (deleted)')
  writeFileSync(real, '')
  const named = scrapeFake({ stat: stat(7), links: { exe: real, root: '/' } })
  assert.deepEqual([named.exe, named.exeDeleted], [bytes(real), false])

  const unknown = scrapeFake({ stat: stat(7), links: { exe: '/nowhere/x (deleted)', root: '/' } })
  assert.deepEqual([unknown.exe, unknown.exeDeleted], [bytes('/nowhere/x (deleted)'), false])
})

test('scanProcesses() yields the processes in the order of their pids', () => {
  const procPath = fakeProc({ 10: { stat: stat(10) }, 9: { stat: stat(9) }, 100: {}, 1: { stat: stat(1) } })
  const pids = [...scanProcesses({ ...limits, procPath })].map(({ pid }) => pid)
  assert.deepEqual(pids, [1, 9, 10])
  assert.throws(() => [...scanProcesses({ ...limits, procPath: join(top, 'missing') })], { code: 'ENOENT' })
})
