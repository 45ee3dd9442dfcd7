/**
 * A program that runs another one of node in other namespaces, or in a cgroup: `node inside.js '{…}' PROGRAM ARGUMENT…`. What that
 * prints as JSON it prints with the pids that the namespace of the caller has for them.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import { enterNamespaces, enterPidNamespace, raiseLoopback } from '../../../testing/namespaces.js'
import { Helper } from './watch.js'

/** Where a program is to run. */
export interface Inside {
  readonly isOwnNet?: boolean
  readonly isOwnPid?: boolean
  /** The folder of a cgroup. */
  readonly cgroup?: string
  /** Address and port of a server of names that runs there as long. */
  readonly server?: readonly [string, string]
}

const SERVER = fileURLToPath(new URL('server.js', import.meta.url))
const [, , where = '{}', ...program] = argv
const { isOwnNet = false, isOwnPid = false, cgroup, server } = JSON.parse(where) as Inside

if (cgroup !== undefined) writeFileSync(`${cgroup}/cgroup.procs`, String(process.pid))
if (isOwnNet) {
  enterNamespaces()
  raiseLoopback()
}
if (isOwnPid) enterPidNamespace()
await using served = server && (await Helper.start(process.execPath, [SERVER, ...server]))
const child = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'inherit'] })
let text = ''
child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')))
await once(child, 'close')
console.log(JSON.stringify({ ...JSON.parse(text), pid: child.pid, serverPid: served?.pid }))
