/** Containers, as the paths of cgroups name them. */

/** Programs that make containers, by the names that ECS uses. */
export type ContainerRuntime = 'docker' | 'podman' | 'containerd' | 'cri-o' | 'lxc' | 'systemd-nspawn' | 'ecs'

/** A container that the path of a cgroup names, and where the path goes on below it. */
export interface NamedContainer {
  /** A long number, or a name where the runtime has no numbers. */
  readonly id: string
  /** Undefined where several runtimes give the same names. */
  readonly runtime: ContainerRuntime | undefined
  /** Uid of its pod in Kubernetes. */
  readonly podUid: string | undefined
  /** Index of the first part below it. */
  readonly below: number
}

/** A number of a container behind the name of what made it: `docker-….scope`, `…:cri-containerd:…`, or alone. */
const NUMBERED = /^(?:(.*)[-:])?([0-9a-f]{64})(?:\.scope)?$/
/** A task of Amazon ECS, and a container of it. */
const ECS_TASK = /^[0-9a-f]{32}-[0-9]+$/
const LXC_PAYLOAD = /^lxc\.payload\.(.+)$/
const NSPAWN_UNIT = /^systemd-nspawn@(.+)\.service$/
const MACHINE = /^machine-(?!qemu)(.+)\.scope$/

/** Runtimes by how they call themselves in front of the number. */
const BY_PREFIX: readonly (readonly [RegExp, ContainerRuntime])[] = [
  [/^docker$/, 'docker'],
  [/^libpod(?:-payload)?$/, 'podman'],
  [/^crio$/, 'cri-o'],
  [/(?:^|[-:])(?:cri-containerd|containerd|nerdctl)$/, 'containerd'],
]

/** Runtimes by the cgroup that they have their containers in, where these are bare numbers. */
const BY_PARENT: Readonly<Record<string, ContainerRuntime>> = {
  docker: 'docker',
  libpod_parent: 'podman',
  // Namespaces of containerd: of `ctr` and nerdctl, and of Kubernetes.
  default: 'containerd',
  'k8s.io': 'containerd',
  ecs: 'ecs',
}

/** Pods: `pod` and a uid, in which systemd's names have underscores; pods of files have a hash as uid. */
const POD =
  /(?:^|-)pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice|$|\.slice:)/

/**
 * The container that the parts of a path name: the innermost one, if containers run in containers.
 *
 * @returns undefined if the path is that of no container
 */
export function findContainer(parts: readonly string[]): NamedContainer | undefined {
  let found: NamedContainer | undefined
  let podUid: string | undefined
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i] as string
    podUid = podUidIn(part) ?? podUid
    const named = nameOf(part, parts[i - 1])
    if (named === undefined) continue
    const below = i + (named.isPair ? 2 : 1)
    const id = named.isPair ? (parts[i + 1] as string) : named.id
    if (id === undefined || id === '') continue
    found = { id, runtime: named.runtime, podUid, below }
    // A container within another one is in no pod, or one of its own.
    podUid = undefined
  }
  return found
}

/** The uid of the pod that a part of a path names. */
export function podUidIn(part: string): string | undefined {
  return POD.exec(part)?.[1]?.replaceAll('_', '-')
}

interface PartName {
  readonly id: string
  readonly runtime: ContainerRuntime | undefined
  /** The next part is the id. */
  readonly isPair?: boolean
}

function nameOf(part: string, parent: string | undefined): PartName | undefined {
  const numbered = NUMBERED.exec(part)
  if (numbered !== null) return numberedName(numbered, parent)
  if (ECS_TASK.test(part)) return { id: part, runtime: 'ecs' }
  // `lxc/NAME`, and newer `lxc.payload/NAME`.
  if (part === 'lxc' || part === 'lxc.payload') return { id: '', runtime: 'lxc', isPair: true }
  const lxc = LXC_PAYLOAD.exec(part)?.[1]
  if (lxc !== undefined) return { id: lxc, runtime: 'lxc' }
  const nspawn = NSPAWN_UNIT.exec(part)?.[1]
  if (nspawn !== undefined) return { id: unescapeUnit(nspawn), runtime: 'systemd-nspawn' }
  const machine = MACHINE.exec(part)?.[1]
  if (machine === undefined) return undefined
  const name = unescapeUnit(machine)
  return name.startsWith('lxc-') ? { id: name, runtime: 'lxc' } : { id: name, runtime: 'systemd-nspawn' }
}

/** Undefined for the monitor of a container, which stands beside it. */
function numberedName(
  [, prefix, id = '']: RegExpExecArray,
  parent: string | undefined,
): PartName | undefined {
  if (prefix === undefined) return { id, runtime: BY_PARENT[parent ?? ''] }
  if (prefix.endsWith('conmon')) return undefined
  return { id, runtime: BY_PREFIX.find(([form]) => form.test(prefix))?.[1] }
}

/** systemd's names have `\x2d` for a dash. */
export function unescapeUnit(name: string): string {
  return name.replace(/\\x([0-9a-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  )
}
