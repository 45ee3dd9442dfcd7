import assert from 'node:assert/strict'
import test from 'node:test'
import * as fc from 'fast-check'
import { containerOf, placeOf } from './place.js'

const ID = '3f2a9c0e7d41b86510c2f7aa9e5d3b7c61f04e2a8d9b7350e1c6f4a2d8b90717'
const OTHER = 'a'.repeat(64)
const UID = '0e1c6f4a-2d8b-4071-9b73-50e1c6f4a2d8'
const POD = `pod${UID}`
const POD_SLICE = `pod${UID.replaceAll('-', '_')}`
/** The uid of a pod that a file describes. */
const HASH = '0123456789abcdef0123456789abcdef'
const KUBE = '/kubepods.slice/kubepods-besteffort.slice'
const USER = '/user.slice/user-1000.slice/user@1000.service'

type Expected = readonly [runtime: string | undefined, id: string, podUid?: string] | undefined

/** Paths as runtimes make them: with cgroups of v1 and v2, by systemd and without it, of root and of users. */
const PATHS: Readonly<Record<string, Expected>> = {
  // Docker
  [`/docker/${ID}`]: ['docker', ID],
  [`/docker/${ID}/init`]: ['docker', ID],
  [`/docker/${ID}/docker/${OTHER}`]: ['docker', OTHER],
  [`/system.slice/docker-${ID}.scope`]: ['docker', ID],
  [`/system.slice/docker-${ID}.scope/system.slice/ssh.service`]: ['docker', ID],
  [`${USER}/user.slice/docker-${ID}.scope`]: ['docker', ID],
  [`/my-parent.slice/docker-${ID}.scope`]: ['docker', ID],
  [`/../../system.slice/docker-${ID}.scope`]: ['docker', ID],
  [`/../${ID}`]: [undefined, ID],
  '/system.slice/docker.service': undefined,
  '/system.slice/containerd.service': undefined,
  // Podman
  [`/machine.slice/libpod-${ID}.scope`]: ['podman', ID],
  [`/machine.slice/libpod-${ID}.scope/container`]: ['podman', ID],
  [`/machine.slice/libpod-conmon-${ID}.scope`]: undefined,
  [`/machine.slice/machine-libpod_pod_${OTHER}.slice/libpod-${ID}.scope`]: ['podman', ID],
  [`/machine.slice/machine-libpod_pod_${OTHER}.slice`]: undefined,
  [`/libpod_parent/libpod-${ID}`]: ['podman', ID],
  '/libpod_parent/conmon': undefined,
  [`${USER}/user.slice/libpod-${ID}.scope/container`]: ['podman', ID],
  [`/system.slice/web.service/libpod-payload-${ID}`]: ['podman', ID],
  '/system.slice/web.service/runtime': undefined,
  // containerd, nerdctl
  [`/default/${ID}`]: ['containerd', ID],
  [`/k8s.io/${ID}`]: ['containerd', ID],
  [`/system.slice/nerdctl-${ID}.scope`]: ['containerd', ID],
  // Kubernetes with containerd, CRI-O and Docker
  [`/kubepods/besteffort/${POD}/${ID}`]: [undefined, ID, UID],
  [`/kubepods/${POD}/${ID}`]: [undefined, ID, UID],
  [`/kubepods/burstable/pod${HASH}/${ID}`]: [undefined, ID, HASH],
  [`${KUBE}/kubepods-besteffort-${POD_SLICE}.slice/cri-containerd-${ID}.scope`]: ['containerd', ID, UID],
  [`/kubepods.slice/kubepods-${POD_SLICE}.slice/crio-${ID}.scope`]: ['cri-o', ID, UID],
  [`/kubepods.slice/kubepods-${POD_SLICE}.slice/crio-${ID}.scope/container`]: ['cri-o', ID, UID],
  [`/kubepods.slice/kubepods-${POD_SLICE}.slice/crio-conmon-${ID}.scope`]: undefined,
  [`/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-${POD_SLICE}.slice/docker-${ID}.scope`]: [
    'docker',
    ID,
    UID,
  ],
  [`/kubepods/burstable/${POD}/crio-${ID}`]: ['cri-o', ID, UID],
  [`/system.slice/containerd.service/kubepods-burstable-${POD_SLICE}.slice:cri-containerd:${ID}`]: [
    'containerd',
    ID,
    UID,
  ],
  // kind: Kubernetes in Docker
  [`/docker/${OTHER}/kubelet/kubepods/besteffort/${POD}/${ID}`]: [undefined, ID, UID],
  [`/system.slice/docker-${OTHER}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-${POD_SLICE}.slice/cri-containerd-${ID}.scope`]:
    ['containerd', ID, UID],
  // Docker within a pod
  [`/kubepods/${POD}/${OTHER}/docker/${ID}`]: ['docker', ID],
  // Amazon ECS
  [`/ecs/4d5e/${HASH}-1234567890`]: ['ecs', `${HASH}-1234567890`],
  [`/ecs/${ID}`]: ['ecs', ID],
  // LXC
  '/lxc.payload.web': ['lxc', 'web'],
  '/lxc.payload.web/system.slice/ssh.service': ['lxc', 'web'],
  '/lxc.payload/web': ['lxc', 'web'],
  '/lxc.monitor.web': undefined,
  '/lxc.monitor/web': undefined,
  '/lxc/101/ns/init.scope': ['lxc', '101'],
  '/lxc/web/init.scope': ['lxc', 'web'],
  '/lxc': undefined,
  '/machine.slice/machine-lxc\\x2d42\\x2dweb.scope': ['lxc', 'lxc-42-web'],
  // systemd-nspawn, and machines that are none
  '/machine.slice/systemd-nspawn@debian.service/payload': ['systemd-nspawn', 'debian'],
  '/machine.slice/systemd-nspawn@my\\x2dweb.service/supervisor': ['systemd-nspawn', 'my-web'],
  '/machine.slice/machine-debian.scope': ['systemd-nspawn', 'debian'],
  '/machine.slice/machine-qemu\\x2d1\\x2dvm.scope': undefined,
  // None
  '/': undefined,
  '/init.scope': undefined,
  '/user.slice/user-1000.slice/session-2.scope': undefined,
  [`/${ID}0`]: undefined,
  [`/${ID.toUpperCase()}`]: undefined,
  '/system.slice/docker-.scope': undefined,
  '/system.slice/docker-abc.scope': undefined,
}

for (const [path, expected] of Object.entries(PATHS)) {
  test(`the container of ${path} is ${expected?.join(' ')}`, () => {
    // Twice: it is remembered.
    for (const { container, pod } of [placeOf(path), placeOf(path)]) {
      assert.deepEqual(
        container === undefined ? undefined : [container.runtime, container.id, pod?.uid],
        expected === undefined ? undefined : [expected[0], expected[1], expected[2]],
      )
    }
  })
}

test('a pod has cgroups of its own, too', () => {
  for (const path of [`/kubepods/besteffort/${POD}`, `${KUBE}/kubepods-besteffort-${POD_SLICE}.slice`]) {
    assert.deepEqual([placeOf(path).container, placeOf(path).pod?.uid], [undefined, UID])
  }
})

type Units = Partial<Readonly<Record<'unit' | 'userUnit' | 'slice' | 'loginSession' | 'scheduler', string>>>

const UNITS: Readonly<Record<string, Units>> = {
  '/': {},
  '/init.scope': { unit: 'init.scope' },
  '/system.slice/ssh.service': { unit: 'ssh.service', slice: 'system.slice' },
  '/system.slice/system-getty.slice/getty@tty1.service': {
    unit: 'getty@tty1.service',
    slice: 'system-getty.slice',
  },
  '/system.slice/cron.service': { unit: 'cron.service', slice: 'system.slice', scheduler: 'cron' },
  '/system.slice/crond.service': { unit: 'crond.service', slice: 'system.slice', scheduler: 'cron' },
  '/system.slice/atd.service/job': { unit: 'atd.service', slice: 'system.slice', scheduler: 'at' },
  '/system.slice/docker.service/build': { unit: 'docker.service', slice: 'system.slice' },
  '/user.slice/user-1000.slice/session-c3.scope': {
    unit: 'session-c3.scope',
    slice: 'user-1000.slice',
    loginSession: 'c3',
  },
  [`${USER}/app.slice/app-editor.scope`]: {
    unit: 'user@1000.service',
    userUnit: 'app-editor.scope',
    slice: 'user-1000.slice',
  },
  [`${USER}/init.scope`]: {
    unit: 'user@1000.service',
    userUnit: 'init.scope',
    slice: 'user-1000.slice',
  },
  [USER]: { unit: 'user@1000.service', slice: 'user-1000.slice' },
  '/system.slice': { slice: 'system.slice' },
  '/system.slice/_tasks.service': { unit: 'tasks.service', slice: 'system.slice' },
  '/custom/group': {},
  // Processes of a container belong to its systemd.
  [`/system.slice/docker-${ID}.scope`]: {},
  [`/system.slice/docker-${ID}.scope/system.slice/nginx.service`]: {
    unit: 'nginx.service',
    slice: 'system.slice',
  },
  '/machine.slice/systemd-nspawn@web.service/payload/system.slice/cron.service': {
    unit: 'cron.service',
    slice: 'system.slice',
    scheduler: 'cron',
  },
  '/lxc/101/ns/system.slice/ssh.service': { unit: 'ssh.service', slice: 'system.slice' },
}

for (const [path, expected] of Object.entries(UNITS)) {
  test(`the units of ${path} are ${JSON.stringify(expected)}`, () => {
    const { unit, userUnit, slice, loginSession, scheduler } = placeOf(path)
    assert.deepEqual(
      { unit, userUnit, slice, loginSession, scheduler },
      {
        unit: undefined,
        userUnit: undefined,
        slice: undefined,
        loginSession: undefined,
        scheduler: undefined,
        ...expected,
      },
    )
  })
}

test('whatever a path is, it is looked through in bounded time, and remembered in bounded memory', () => {
  const part = fc.oneof(
    fc.string(),
    fc.constantFrom('docker', 'lxc', 'lxc.payload', POD, `docker-${ID}.scope`, 'a.slice', 'payload', '..'),
  )
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      const { container } = placeOf(`/${parts.join('/')}`)
      assert.ok(container === undefined || container.id !== '')
    }),
  )
  for (const path of [
    '-'.repeat(4000),
    `/pod${'-pod'.repeat(1000)}`,
    '/docker'.repeat(580),
    ':'.repeat(4000),
  ]) {
    const begin = performance.now()
    placeOf(`/${path}`)
    assert.ok(performance.now() - begin < 200, path.slice(0, 20))
  }
  for (let i = 0; i < 5000; i++) assert.equal(containerOf(`/docker/${ID}/${i}`)?.id, ID)
})

test('what the outer path says of a container, it also says of the inner ones', () => {
  const outer = fc.constantFrom(...Object.keys(PATHS).filter((path) => PATHS[path] !== undefined))
  const below = fc.constantFrom('', '/init.scope', '/system.slice/ssh.service', '/a/b', '/container')
  fc.assert(
    fc.property(outer, below, (path, rest) => {
      assert.equal(containerOf(path + rest)?.id, PATHS[path]?.[1])
    }),
  )
})
