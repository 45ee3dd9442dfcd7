/** Containers, as the paths of cgroups name them. */

/**
 * What the runtimes call the cgroup of a container, by its last part:
 *
 * - 64 hexadecimal digits (Docker, containerd and Kubernetes with cgroupfs; in other places, too);
 * - such digits behind the name of a runtime, as systemd has it: `docker-….scope`, `cri-containerd-….scope`,
 *   `libpod-….scope`, `…:cri-containerd:…`;
 * - 32 digits, a dash and a number (Amazon ECS);
 * - `lxc.payload.NAME`, `lxc/NAME`, `systemd-nspawn@NAME.service`, `machine-NAME.scope`.
 */
const PARTS =
  /\/(?:(?:[^/]*[-:])?([0-9a-f]{64})(?:\.scope)?|([0-9a-f]{32}-[0-9]+)|lxc(?:\.payload\.|\/)([^/]+)|systemd-nspawn@([^/]+)\.service|machine-(?!qemu)([^/]+)\.scope)(?=\/|$)/g

/** Programs of a runtime that stand beside the container. */
const BESIDE = /conmon|lxc\.monitor/

/** Ids of so many cgroups are remembered. */
const REMEMBERED = 256
const remembered = new Map<string, string | undefined>()

/**
 * The id of the container that a cgroup belongs to, as its path has it: the innermost one, if containers run in
 * containers.
 *
 * @returns undefined if the path is that of no container
 */
export function containerOf(cgroup: string): string | undefined {
  const known = remembered.get(cgroup)
  if (known !== undefined || remembered.has(cgroup)) return known
  const id = find(cgroup)
  if (remembered.size >= REMEMBERED) remembered.clear()
  remembered.set(cgroup, id)
  return id
}

function find(cgroup: string): string | undefined {
  let id: string | undefined
  for (const [part, ...ids] of cgroup.matchAll(PARTS)) {
    if (!BESIDE.test(part)) id = ids.find((one) => one !== undefined)
  }
  return id
}
