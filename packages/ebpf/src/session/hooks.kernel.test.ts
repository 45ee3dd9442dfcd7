import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FEATURE_NAMES, probeFeature } from '../kernel/features.js'
import { kernelPreempts } from '../kernel/preemption.js'
import {
  cgroupSkb,
  type CgroupSkbPlace,
  cgroupSock,
  cgroupSockAddr,
  type CgroupSockAddrPlace,
  type CgroupSockPlace,
  fentry,
  fexit,
  type Flavor,
  type Hook,
  HOOK_TYPES,
  type HookKind,
  type HookType,
  int,
  iterator,
  kprobe,
  kretprobe,
  probe,
  procConnector,
  record,
  struct,
  sysEnter,
  sysExit,
  tracepoint,
  u32,
} from '../probe/index.js'
import { kernelAtLeast } from '../sys/platform.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { excuseFor, kernelTest } from '../testing/kernel-test.js'
import { FLAVORS, openSession, type Task } from '../testing/process-probes.js'
import { hookFeatures } from './hooks.js'

expectNoLeaks()

const architecture = process.arch === 'arm64' ? 'arm64' : 'x64'
const task = struct<Task>('task_struct', 'task')

/** One hook of each kind, and of each place. */
const HOOKS: Readonly<Record<HookKind, readonly Hook[]>> = {
  tracepoint: [
    tracepoint('sched_process_exec', [task]),
    tracepoint('sched_switch', []),
    tracepoint('softirq_entry', []),
    tracepoint('sys_enter', []),
  ],
  sysEnter: [sysEnter(['openat', 'execve'])],
  sysExit: [sysExit(['openat', 'execve'])],
  fentry: [fentry('wake_up_new_task', [task])],
  fexit: [fexit('wake_up_new_task', [task])],
  kprobe: [kprobe('wake_up_new_task', [task])],
  kretprobe: [kretprobe('do_exit'), kretprobe('kernel_clone', int('pid', 4))],
  socketFilter: [procConnector(1)],
  cgroupSkb: placesOf('cgroupSkb').map((place) => cgroupSkb(place as CgroupSkbPlace)),
  cgroupSock: placesOf('cgroupSock').map((place) => cgroupSock(place as CgroupSockPlace)),
  cgroupSockAddr: placesOf('cgroupSockAddr').map((place) => cgroupSockAddr(place as CgroupSockAddrPlace)),
  iterator: [iterator('task', [task]), iterator('task_file', [task, int('fd', 4)])],
}

function placesOf(kind: HookKind): string[] {
  return Object.keys(HOOK_TYPES[kind].places ?? {})
}

/** Programs that may be preempted need what came with 6.10. */
function sinceHere(kind: HookKind, place: string, flavor: Flavor): string {
  const { minKernel, places, preemption, calls } = HOOK_TYPES[kind] as HookType
  // Whether a call is one of 32 bits is asked of the current task, through BTF.
  if (calls !== undefined && flavor === 'direct') return '5.11'
  const since = places?.[place]?.minKernel ?? minKernel[architecture]
  if (preemption === 'always' && kernelPreempts()) return '6.10'
  // A session needs a ring.
  return kernelAtLeast('5.8', { major: 5, minor: Number(since.split('.')[1]), patch: 0 }) ? since : '5.8'
}

for (const [kind, hooks] of Object.entries(HOOKS) as [HookKind, readonly Hook[]][]) {
  const flavors = (Object.keys(HOOK_TYPES[kind].programs) as Flavor[]).filter((flavor) =>
    FLAVORS.some((one) => one === flavor),
  )
  for (const flavor of flavors) {
    for (const hook of hooks) {
      kernelTest(`${kind} ${hook.target} attaches (${flavor})`, sinceHere(kind, hook.target, flavor), (t) => {
        const excuse = hookFeatures(kind)
          .map((name) => excuseFor(probeFeature(name)))
          .find((reason) => reason !== 'none needed')
        if (excuse !== undefined) {
          t.skip(`not on this kernel: ${excuse}`)
          return
        }
        using session = openSession({ flavor, loop: 'bounded' })
        const shape = record(9, 'hooked', { pid: u32 })
        const { hook: name } = session.attach(
          probe({ name: 't_hook', hook, record: shape }, () => ({ fill: { pid: 1 } })),
        )
        assert.ok(name.endsWith(`/${hook.target}`))
      })
    }
  }
}

test('the least kernel of each kind of hook is that of a feature which is tried', () => {
  for (const kind of Object.keys(HOOKS) as HookKind[]) {
    // The proc connector itself is older than programs.
    const features = kind === 'socketFilter' ? (['socketFilter'] as const) : hookFeatures(kind)
    for (const feature of features) assert.ok(FEATURE_NAMES.includes(feature))
    const least = features.map((feature) => probeFeature(feature).minKernel)
    assert.ok(least.includes(HOOK_TYPES[kind].minKernel[architecture]), `${kind}: ${least.join()}`)
  }
})
