/** A program that loads and attaches BPF programs. */

import { readFileSync, openSync } from 'node:fs'
import { addressOf, cstring, rawCall, report } from '../../../testing/raw-calls.js'

const PROG_LOAD = 5
const PROG_ATTACH = 8
const PROG_DETACH = 9
const LINK_CREATE = 28
const SOCKET_FILTER = 1
const CGROUP_SKB = 8
const CGROUP_INET_EGRESS = 1
const ALLOW_MULTI = 2

const EXIT = Buffer.from([0x95, 0, 0, 0, 0, 0, 0, 0])
/** `return 1`. */
const RETURN = Buffer.concat([Buffer.from([0xb7, 0, 0, 0, 1, 0, 0, 0]), EXIT])
const license = cstring('GPL')

function load(type: number, instructions: Buffer, name: string): number {
  const attr = Buffer.alloc(120)
  attr.writeUInt32LE(type, 0)
  attr.writeUInt32LE(instructions.length / 8, 4)
  attr.writeBigUInt64LE(addressOf(instructions), 8)
  attr.writeBigUInt64LE(addressOf(license), 16)
  attr.write(name, 48)
  return rawCall('bpf', PROG_LOAD, addressOf(attr), attr.length)
}

function bpf(command: number, ...words: readonly number[]): number {
  const attr = Buffer.alloc(64)
  words.forEach((word, index) => attr.writeUInt32LE(word, index * 4))
  return rawCall('bpf', command, addressOf(attr), attr.length)
}

const filter = load(SOCKET_FILTER, RETURN, 'hello')
const refused = load(CGROUP_SKB, EXIT, 'bad one')
const skb = load(CGROUP_SKB, RETURN, 'skb')
const [, root] = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/mounts', 'latin1')) ?? []
let attached: number[] = []
if (root !== undefined) {
  const directory = openSync(root, 'r')
  attached = [
    bpf(LINK_CREATE, skb, directory, CGROUP_INET_EGRESS, 0),
    bpf(PROG_ATTACH, directory, skb, CGROUP_INET_EGRESS, ALLOW_MULTI),
    bpf(PROG_DETACH, directory, skb, CGROUP_INET_EGRESS),
  ]
}
report({ loaded: filter >= 0 && skb >= 0, refused, attached })
