import assert from 'node:assert/strict'
import test from 'node:test'
import { FEATURE_NAMES, type FeatureName } from 'quark-ebpf'
import type { BackendTrial, Examination, Finding } from './examination.js'
import { judge } from './judge.js'
import { type FactReading, type FeatureReading, readHidepid, readMemlock, type Readings } from './readings.js'

const ALL_CAPABILITIES = (1n << 41n) - 1n
const WORKS: BackendTrial = {
  backend: 'ebpf',
  outcome: 'works',
  attached: [{ fact: 'fork', hook: 'tp_btf/sched_process_fork', flavor: 'direct' }],
  missing: [],
}

function fails(backend: string, reason = 'EPERM'): BackendTrial {
  return { backend, outcome: 'fails', attached: [], missing: [], reason }
}

function features(absent: Partial<Record<FeatureName, string>> = {}): FeatureReading[] {
  return FEATURE_NAMES.map((feature) => {
    const code = absent[feature]
    return code === undefined
      ? { feature, supported: true, minKernel: '5.8' }
      : { feature, supported: false, minKernel: '5.8', reason: `no ${feature}`, code }
  })
}

const FACTS: readonly FactReading[] = [
  {
    fact: 'fork',
    isOptional: false,
    ways: [['tracepoint']],
    losses: [
      { without: 'procPids', costs: ['toys that exist already'] },
      { without: 'procOfOthers', costs: ['toys of other users'] },
      { without: 'procMemory', costs: ['shapes of toys'] },
      { without: 'bootTime', costs: ['start times of toys'] },
    ],
  },
  {
    fact: 'ids',
    isOptional: false,
    ways: [['fentry'], ['kprobe'], ['socketFilter']],
    losses: [
      { without: 'cgroups', costs: ['cgroups of toys'] },
      { without: 'cgroupRoot', costs: ['paths of toys'] },
    ],
  },
  { fact: 'threads', isOptional: true, ways: [['tracepoint']], losses: [] },
]

/** A machine on which nothing is wrong, but for what is given. */
function machine(changes: Partial<Readings> = {}): Readings {
  return {
    kernel: '6.1.0-1-amd64',
    architecture: 'x64',
    uid: 0,
    capEffective: ALL_CAPABILITIES,
    lockdown: 'none',
    seccomp: 0,
    memlockBytes: 8192,
    types: { source: '/sys/kernel/btf/vmlinux', isTable: false },
    namespaces: { pid: 0xefff_fffc, user: 0xefff_fffd, cgroup: 0xefff_fffb, time: 0xefff_fffa },
    hasKernelPids: true,
    hidepid: undefined,
    cgroups: { kind: 'unified', mountPoint: '/sys/fs/cgroup', mountRoot: '/', hierarchyId: 0 },
    tracefs: { path: '/sys/kernel/tracing', isWritable: true },
    features: features(),
    facts: FACTS,
    trials: [WORKS],
    ...changes,
  }
}

function findingOf({ findings }: Examination, name: string): Finding {
  return findings.find((finding) => finding.name === name) ?? assert.fail(`no finding ${name}`)
}

test('a machine on which all is well is complete', () => {
  const examination = judge(machine())
  assert.deepEqual(
    examination.findings.filter(({ verdict }) => verdict !== 'ok').map(({ name }) => name),
    ['kernel'],
  )
  assert.equal(examination.complete, true)
  assert.equal(examination.backend, 'ebpf')
})

test('each thing that is wrong is found, with what it costs and what to do', async (t) => {
  const namespaces = machine().namespaces
  // name, readings, verdict, found, costs, fix
  const cases: readonly (readonly [string, Partial<Readings>, string, RegExp, RegExp, RegExp])[] = [
    ['architecture', { architecture: 'riscv64' }, 'problem', /^riscv64$/, /every event/, /^$/],
    ['types', { types: { problem: 'no BTF' } }, 'absent', /no BTF/, /ebpf.*kprobe/, /pahole.*--btf/],
    ['types', { types: { source: 'T', isTable: true } }, 'absent', /offsets from T/, /ebpf/, /pahole.*--btf/],
    [
      'capabilities',
      { uid: 1000, capEffective: 0n },
      'problem',
      /^user 1000, without CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_PTRACE$/,
      /every event.*ids where functions cannot be hooked, shapes of toys/,
      /^sudo /,
    ],
    [
      'capabilities',
      { capEffective: ALL_CAPABILITIES & ~(1n << 12n) },
      'problem',
      /^root, without CAP_NET_ADMIN$/,
      /^ids where functions cannot be hooked$/,
      /--cap-add=CAP_NET_ADMIN/,
    ],
    [
      'capabilities',
      { uid: 7, capEffective: 0n, kernel: '5.4.1' },
      'problem',
      /without CAP_SYS_ADMIN/,
      /event/,
      /sudo/,
    ],
    ['capabilities', { capEffective: undefined }, 'unknown', /has no such line/, /^$/, /^$/],
    [
      'lockdown',
      { lockdown: 'confidentiality' },
      'absent',
      /confidentiality/,
      /kprobe/,
      /boot without lockdown=/,
    ],
    ['lockdown', { lockdown: 'integrity' }, 'ok', /integrity/, /^$/, /^$/],
    ['lockdown', { lockdown: undefined }, 'unknown', /cannot be read/, /^$/, /securityfs/],
    ['seccomp', { seccomp: 2 }, 'note', /filter is active/, /^$/, /seccomp=unconfined/],
    ['seccomp', { seccomp: undefined }, 'unknown', /has no such line/, /^$/, /^$/],
    ['locked memory', { kernel: '5.10.0-1' }, 'ok', /^8192 bytes, raised/, /^$/, /^$/],
    [
      'locked memory',
      { kernel: '5.10.0', capEffective: 1n << 39n },
      'problem',
      /too few/,
      /every event/,
      /ulimit -l/,
    ],
    ['locked memory', { kernel: '5.10.0', memlockBytes: Infinity }, 'ok', /unlimited/, /^$/, /^$/],
    [
      'locked memory',
      { kernel: '5.10.0', memlockBytes: undefined },
      'unknown',
      /has no such line/,
      /^$/,
      /^$/,
    ],
    ['locked memory', { kernel: 'of-a-vendor' }, 'ok', /not charged/, /^$/, /^$/],
    [
      'pid',
      { namespaces: { ...namespaces, pid: 5 }, hasKernelPids: false },
      'problem',
      /pid:\[5\]/,
      /toys that exist already/,
      /--pid=host/,
    ],
    [
      'pid',
      { namespaces: { ...namespaces, pid: 5 } },
      'note',
      /is of the initial/,
      /connector/,
      /--pid=host/,
    ],
    ['user', { namespaces: { ...namespaces, user: 5 } }, 'problem', /user:\[5\]/, /refuses/, /--userns=host/],
    [
      'cgroup',
      {
        namespaces: { ...namespaces, cgroup: 5 },
        cgroups: { kind: 'unified', mountPoint: '/c', mountRoot: '/', hierarchyId: 0, isFromNamespace: true },
      },
      'problem',
      /cgroup:\[5\]/,
      /^paths of toys$/,
      /--cgroupns=host/,
    ],
    [
      'cgroup',
      { namespaces: { ...namespaces, cgroup: 5 } },
      'note',
      /cgroup:\[5\]; but its place in the hierarchy is known/,
      /^$/,
      /^$/,
    ],
    [
      'time',
      { namespaces: { ...namespaces, time: 5 } },
      'problem',
      /time:\[5\]/,
      /^start times of toys$/,
      /unshare/,
    ],
    ['time', { namespaces: { ...namespaces, time: undefined } }, 'unknown', /has none/, /^$/, /^$/],
    [
      '/proc',
      { hasKernelPids: false },
      'problem',
      /another pid namespace/,
      /toys that exist already/,
      /mount -t proc/,
    ],
    [
      '/proc',
      { hasKernelPids: undefined },
      'problem',
      /not mounted/,
      /toys that exist already/,
      /mount -t proc/,
    ],
    [
      '/proc',
      { hasKernelPids: false, namespaces: { ...namespaces, pid: 5 } },
      'problem',
      /another pid namespace/,
      /toys that exist already/,
      /--pid=host/,
    ],
    [
      'hidepid',
      { hidepid: '2', uid: 1, capEffective: 0n },
      'problem',
      /hidden/,
      /^toys of other users$/,
      /hidepid=0/,
    ],
    ['hidepid', { hidepid: 'invisible' }, 'ok', /does not hide/, /^$/, /^$/],
    ['cgroups', { cgroups: undefined }, 'problem', /neither/, /^cgroups of toys$/, /mount -t cgroup2/],
    [
      'tracefs',
      { tracefs: { problem: 'not mounted' } },
      'absent',
      /^not mounted$/,
      /kprobe/,
      /mount -t tracefs/,
    ],
    [
      'tracefs',
      { tracefs: { problem: 'EACCES' }, uid: 1 },
      'unknown',
      /EACCES/,
      /kprobe/,
      /mount -t tracefs/,
    ],
    [
      'tracefs',
      { tracefs: { path: '/t', isWritable: false } },
      'absent',
      /^at \/t, where/,
      /kprobe/,
      /rw \/t$/,
    ],
  ]
  for (const [name, readings, verdict, found, costs, fix] of cases) {
    await t.test(`${name}: ${verdict}, ${found}`, () => {
      const examination = judge(machine(readings))
      const finding = findingOf(examination, name)
      assert.equal(finding.verdict, verdict)
      assert.match(finding.found, found)
      assert.match(finding.costs.join(', '), costs)
      assert.match(finding.fix ?? '', fix)
      assert.equal(examination.complete, !examination.findings.some((one) => one.verdict === 'problem'))
    })
  }
})

test('a feature costs the facts that have no other way', () => {
  const EBPF = 'ERR_EBPF_NOT_SUPPORTED'
  const costs = (name: FeatureName, ...absent: FeatureName[]): readonly string[] =>
    findingOf(
      judge(machine({ features: features(Object.fromEntries(absent.map((feature) => [feature, EBPF]))) })),
      name,
    ).costs
  assert.deepEqual(costs('tpBtf', 'tpBtf'), [])
  assert.deepEqual(costs('tpBtf', 'tpBtf', 'rawTracepoint'), ['fork', 'threads (when asked for)'])
  assert.deepEqual(costs('fentry', 'fentry', 'kprobe'), [])
  assert.deepEqual(costs('kprobe', 'fentry', 'kprobe', 'procConnector'), ['ids'])
  assert.deepEqual(costs('ringbuf', 'ringbuf'), ['the ebpf backend'])
  assert.deepEqual(costs('lsm', 'lsm'), [])
  assert.match(costs('bpfLoop', 'bpfLoop').join(), /128th of a path/)
})

test('what lockdown takes is reported as facts, with what to do', () => {
  const reason = 'this kernel refuses bpf_probe_read_kernel (lockdown=confidentiality)'
  const missing = ['exec.exe', 'cgroupNames.path', 'cgroupNames.path'].map((fact) => ({ fact, reason }))
  const examination = judge(
    machine({
      lockdown: 'confidentiality',
      tracefs: { problem: 'empty' },
      features: features({ probeReadKernel: 'ERR_EBPF_PERMISSION' }),
      trials: [
        { ...WORKS, missing },
        fails('kprobe', 'kernel lockdown is "confidentiality"'),
        fails('other'),
      ],
    }),
  )
  for (const name of ['probeReadKernel', 'ebpf']) {
    assert.deepEqual(findingOf(examination, name).costs, ['exec.exe', 'cgroupNames.path'], name)
  }
  for (const name of ['lockdown', 'tracefs', 'ebpf']) {
    assert.match(findingOf(examination, name).fix ?? '', /^boot without lockdown=confidentiality/, name)
  }
  assert.equal(findingOf(examination, 'ebpf').verdict, 'problem')
  assert.equal(findingOf(examination, 'other').fix, undefined)
  assert.equal(examination.complete, false)
})

test('without rights a refused feature is unknown, and with rights it is absent', () => {
  const refused = { features: features({ tpBtf: 'ERR_EBPF_PERMISSION' }) }
  const verdict = (changes: Partial<Readings>): string =>
    findingOf(judge(machine({ ...refused, ...changes })), 'tpBtf').verdict
  assert.equal(verdict({}), 'absent')
  assert.equal(verdict({ uid: 1000, capEffective: 0n }), 'unknown')
  assert.equal(findingOf(judge(machine(refused)), 'tpBtf').found, 'no tpBtf')
})

test('the default backend is the first that works, and unknown when one before it was not tried', () => {
  const untried: BackendTrial = {
    backend: 'audit',
    outcome: 'notTried',
    attached: [],
    missing: [],
    reason: 'why',
  }
  const works = { ...WORKS, backend: 'procConnector' }
  const result = (...trials: BackendTrial[]): unknown => {
    const { complete, backend, findings } = judge(machine({ trials }))
    return [
      complete,
      backend,
      findings.filter(({ topic }) => topic === 'backends').map(({ verdict }) => verdict),
    ]
  }
  assert.deepEqual(result(WORKS, fails('kprobe'), untried), [true, 'ebpf', ['ok', 'absent', 'unknown']])
  assert.deepEqual(result(fails('ebpf'), works), [true, 'procConnector', ['absent', 'ok']])
  // Nobody gets that who does not ask for it.
  assert.deepEqual(result(fails('ebpf'), untried, works), [
    true,
    'procConnector',
    ['absent', 'unknown', 'ok'],
  ])
  const other = { ...untried, backend: 'other' }
  assert.deepEqual(result(fails('ebpf'), other, works), [false, undefined, ['problem', 'unknown', 'ok']])
  assert.deepEqual(result(fails('ebpf'), fails('kprobe')), [false, undefined, ['problem', 'problem']])
})

test('a fact that the default backend lacks is a problem, one that another lacks is not', () => {
  const missing = [{ fact: 'ids', reason: 'no hook' }]
  const lacking = judge(machine({ trials: [{ ...WORKS, missing }] }))
  assert.equal(lacking.complete, false)
  assert.deepEqual(findingOf(lacking, 'ebpf'), {
    topic: 'backends',
    name: 'ebpf',
    verdict: 'problem',
    found: 'works: fork (tp_btf/sched_process_fork)',
    details: ['no ids: no hook'],
    costs: ['ids'],
  })
  const other = judge(machine({ trials: [WORKS, { ...WORKS, backend: 'second', missing }] }))
  assert.equal(other.complete, true)
  assert.equal(findingOf(other, 'second').verdict, 'absent')
  // A better one that does not work is then a problem too, a worse one is not.
  const trials = [fails('first'), { ...WORKS, backend: 'second', missing }, fails('third')]
  const between = judge(machine({ trials }))
  assert.deepEqual(
    ['first', 'second', 'third']
      .map((name) => findingOf(between, name))
      .map(({ verdict, costs }) => [verdict, costs]),
    [
      ['problem', ['ids']],
      ['problem', ['ids']],
      ['absent', []],
    ],
  )
})

test('readMemlock() and readHidepid() read what proc(5) shows', () => {
  const limits =
    'Limit  Soft Limit  Hard Limit  Units\nMax locked memory         8388608              unlimited  bytes\n'
  assert.equal(readMemlock(limits), 8_388_608)
  assert.equal(readMemlock('Max locked memory  unlimited  unlimited  bytes'), Infinity)
  assert.equal(readMemlock(''), undefined)
  const mount = (options: string): string =>
    `proc /proc proc ${options} 0 0\nproc /elsewhere proc rw,hidepid=1 0 0\n`
  assert.equal(readHidepid(mount('rw,nosuid')), undefined)
  assert.equal(readHidepid(mount('rw,hidepid=2,gid=4')), '2')
  assert.equal(readHidepid(mount('rw,hidepid=invisible')), 'invisible')
  assert.equal(readHidepid(mount('rw,hidepid=off')), undefined)
  assert.equal(readHidepid(mount('rw,hidepid=2') + mount('rw')), undefined)
})
