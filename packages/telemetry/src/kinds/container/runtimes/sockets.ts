/** Where the sockets of runtimes are. */

import { accessSync, constants, statSync } from 'node:fs'
import { CriRuntime } from './cri.js'
import { DockerRuntime } from './docker.js'
import type { Runtime } from './runtime.js'

/** Usual places. */
const PLACES: readonly (readonly [path: string, make: (path: string) => Runtime])[] = [
  ['/run/docker.sock', (path) => new DockerRuntime('docker', path)],
  ['/run/podman/podman.sock', (path) => new DockerRuntime('podman', path)],
  ['/run/containerd/containerd.sock', (path) => new CriRuntime('containerd', path)],
  ['/run/k3s/containerd/containerd.sock', (path) => new CriRuntime('containerd', path)],
  ['/run/crio/crio.sock', (path) => new CriRuntime('cri-o', path)],
]

/** What became of looking for sockets. */
export interface Found {
  readonly runtimes: readonly Runtime[]
  /** Why there are none, and what to do. */
  readonly reason: string
}

/** The runtimes whose sockets are at their usual places, or the one behind a socket. */
export function findRuntimes(socket: string | undefined): Found {
  if (socket !== undefined) {
    const problem = problemOf(socket)
    return problem === undefined
      ? { runtimes: [runtimeBehind(socket)], reason: '' }
      : { runtimes: [], reason: `${socket} ${problem}` }
  }
  const found = PLACES.map(([path, make]) => ({ path, make, problem: problemOf(path) }))
  const usable = found.filter(({ problem }) => problem === undefined)
  const refused = found.filter(({ problem }) => problem !== undefined && problem !== MISSING)
  const reason =
    refused.length > 0
      ? refused.map(({ path, problem }) => `${path} ${problem}`).join('; ')
      : `no runtime has a socket at its usual place (${PLACES.map(([path]) => path).join(', ')}): name it with containerSocket`
  return { runtimes: usable.map(({ path, make }) => make(path)), reason }
}

function runtimeBehind(socket: string): Runtime {
  if (/podman/.test(socket)) return new DockerRuntime('podman', socket)
  if (/docker/.test(socket)) return new DockerRuntime('docker', socket)
  if (/crio/.test(socket)) return new CriRuntime('cri-o', socket)
  return new CriRuntime(/containerd/.test(socket) ? 'containerd' : undefined, socket)
}

const MISSING = 'does not exist'

function problemOf(path: string): string | undefined {
  try {
    if (!statSync(path).isSocket()) return 'is no socket'
    accessSync(path, constants.R_OK | constants.W_OK)
    return undefined
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' || code === 'ENOTDIR' ? MISSING : `cannot be used: ${code ?? 'unknown error'}`
  }
}
