import assert from 'node:assert/strict'
import test from 'node:test'
import { containerOf } from './container.js'

const ID = '3f2a9c0e7d41b86510c2f7aa9e5d3b7c61f04e2a8d9b7350e1c6f4a2d8b90717'
const OTHER = 'a'.repeat(64)
const POD = 'pod0e1c6f4a_2d8b_4071_9b73_50e1c6f4a2d8'

const PATHS: Readonly<Record<string, string | undefined>> = {
  [`/docker/${ID}`]: ID,
  [`/docker/${ID}/init`]: ID,
  [`/docker/${ID}/docker/${OTHER}`]: OTHER,
  [`/system.slice/docker-${ID}.scope`]: ID,
  [`/system.slice/docker-${ID}.scope/system.slice/ssh.service`]: ID,
  [`/kubepods/besteffort/${POD}/${ID}`]: ID,
  [`/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-${POD}.slice/cri-containerd-${ID}.scope`]:
    ID,
  [`/kubepods.slice/kubepods-${POD}.slice/crio-${ID}.scope`]: ID,
  [`/system.slice/containerd.service/kubepods-burstable-${POD}.slice:cri-containerd:${ID}`]: ID,
  [`/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${ID}.scope/container`]: ID,
  [`/machine.slice/libpod-conmon-${ID}.scope`]: undefined,
  '/ecs/4d5e/0e1c6f4a2d8b40719b7350e1c6f4a2d8-1234567890': '0e1c6f4a2d8b40719b7350e1c6f4a2d8-1234567890',
  '/lxc.payload.web': 'web',
  '/lxc.monitor.web': undefined,
  '/lxc/web/init.scope': 'web',
  '/machine.slice/systemd-nspawn@debian.service/payload': 'debian',
  '/machine.slice/machine-debian.scope': 'debian',
  '/machine.slice/machine-qemu\\x2d1\\x2dvm.scope': undefined,
  '/': undefined,
  '/init.scope': undefined,
  '/user.slice/user-1000.slice/session-2.scope': undefined,
  [`/${ID}0`]: undefined,
  [`/kubepods/besteffort/${POD}`]: undefined,
}

for (const [path, id] of Object.entries(PATHS)) {
  test(`containerOf(${path}) is ${id}`, () => {
    // Twice: it is remembered.
    assert.deepEqual([containerOf(path), containerOf(path)], [id, id])
  })
}

test('containerOf() remembers a bounded number of paths', () => {
  for (let i = 0; i < 1000; i++) assert.equal(containerOf(`/docker/${ID}/${i}`), ID)
})
