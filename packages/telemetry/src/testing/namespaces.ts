/** Namespaces for programs of tests: they act on the thread that calls, and on the children that it starts. */

import { readFileSync } from 'node:fs'
import koffi from 'koffi'

const CLONE_NEWNS = 0x0002_0000
const CLONE_NEWPID = 0x2000_0000
const CLONE_NEWNET = 0x4000_0000
const MS_REC = 0x4000
const MS_PRIVATE = 0x4_0000
const AF_INET = 2
const SOCK_DGRAM = 2
const SIOCSIFFLAGS = 0x8914
const IFF_UP = 1

function call(name: string, parameters: readonly string[], ...values: unknown[]): number {
  const result = Number(koffi.load(null).func(name, 'int', [...parameters])(...values))
  if (result === -1) throw new Error(`${name} failed: errno ${koffi.errno()}`)
  return result
}

function mount(source: string, target: string, type: string | null, flags: number): void {
  call('mount', ['str', 'str', 'str', 'ulong', 'void *'], source, target, type, flags, null)
}

/** Leaves the network namespace and the table of mounts for new ones. What is mounted afterwards others do not see. */
export function enterNamespaces(): void {
  call('unshare', ['int'], CLONE_NEWNS | CLONE_NEWNET)
  mount('none', '/', null, MS_REC | MS_PRIVATE)
}

/** Children that are started later have a pid namespace of their own. */
export function enterPidNamespace(): void {
  call('unshare', ['int'], CLONE_NEWPID)
}

/** Mounts a file system of a type such as `sysfs`. */
export function mountFileSystem(type: string, target: string): void {
  mount(type, target, type, 0)
}

/** Sets the loopback device of the network namespace up. */
export function raiseLoopback(): void {
  const socket = call('socket', ['int', 'int', 'int'], AF_INET, SOCK_DGRAM, 0)
  // struct ifreq: name, and flags behind it.
  const request = Buffer.alloc(40)
  request.write('lo')
  request.writeUInt16LE(IFF_UP, 16)
  call('ioctl', ['int', 'ulong', 'void *'], socket, SIOCSIFFLAGS, request)
  call('close', ['int'], socket)
}

const MNT_DETACH = 2

/** Unmounts every file system of a type, for those who share the table of mounts. */
export function unmountAll(type: string): void {
  for (const line of readFileSync('/proc/thread-self/mountinfo', 'latin1').split('\n').toReversed()) {
    const [mount = '', source = ''] = line.split(' - ')
    const path = mount.split(' ')[4]
    if (path !== undefined && source.startsWith(`${type} `)) call('umount2', ['str', 'int'], path, MNT_DETACH)
  }
}
