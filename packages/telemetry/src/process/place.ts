/** What the path of a cgroup says of the processes in it. */

import { type ContainerRuntime, findContainer, podUidIn } from './container.js'
import type { Container, Pod } from './process.js'
import { findUnits, type Scheduler, schedulerOf } from './unit.js'

/** Where processes of a cgroup run. Immutable, and shared by all processes of the cgroup. */
export interface Place {
  /** Path of the cgroup. */
  readonly cgroup: string | undefined
  readonly container: Container | undefined
  readonly pod: Pod | undefined
  readonly unit: string | undefined
  readonly userUnit: string | undefined
  readonly slice: string | undefined
  readonly loginSession: string | undefined
  readonly scheduler: Scheduler | undefined
  /** Undefined outside of containers, and where nobody asked for it. */
  readonly users: PlaceUsers | undefined
}

/** Names by the files of a container, as far as they were asked for, by ids of the machine. Immutable. */
export interface PlaceUsers {
  readonly users: ReadonlyMap<number, string>
  readonly groups: ReadonlyMap<number, string>
}

const NOWHERE: Place = {
  cgroup: undefined,
  container: undefined,
  pod: undefined,
  unit: undefined,
  userUnit: undefined,
  slice: undefined,
  loginSession: undefined,
  scheduler: undefined,
  users: undefined,
}

/** Places of so many cgroups are remembered. */
const REMEMBERED = 1024
const remembered = new Map<string, Place>()
let lastPath = ''
let lastPlace = NOWHERE

/** The place that a cgroup is, as its path has it. */
export function placeOf(cgroup: string | undefined): Place {
  if (cgroup === undefined) return NOWHERE
  // Most processes are in the cgroup of the one before.
  if (cgroup === lastPath) return lastPlace
  let place = remembered.get(cgroup)
  if (place === undefined) {
    place = find(cgroup)
    if (remembered.size >= REMEMBERED) remembered.clear()
    remembered.set(cgroup, place)
  }
  lastPath = cgroup
  lastPlace = place
  return place
}

/**
 * The container that a cgroup belongs to, as its path has it: the innermost one, if containers run in containers.
 *
 * @returns undefined if the path is that of no container
 */
export function containerOf(cgroup: string): Container | undefined {
  return placeOf(cgroup).container
}

function find(cgroup: string): Place {
  const parts = cgroup.split('/').filter((part) => part !== '')
  const named = findContainer(parts)
  // Processes of a container belong to the systemd in it, if there is one.
  const units = findUnits(parts, named === undefined ? 0 : innerStart(parts, named.below))
  const podUid = named?.podUid ?? (named === undefined ? parts.map(podUidIn).findLast(isKnown) : undefined)
  const { unit, userUnit, slice, loginSession } = units
  return {
    cgroup,
    container: named === undefined ? undefined : containerNamed(named.id, named.runtime),
    pod: podUid === undefined ? undefined : podNamed(podUid),
    unit,
    userUnit,
    slice: named !== undefined && unit === undefined ? undefined : slice,
    loginSession,
    scheduler: schedulerOf(unit),
    users: undefined,
  }
}

/** Where the cgroups of the container's own systemd begin: runtimes put one or two of their own before them. */
function innerStart(parts: readonly string[], below: number): number {
  return /^(?:payload|container|ns|init)$/.test(parts[below] ?? '') ? below + 1 : below
}

function isKnown(text: string | undefined): boolean {
  return text !== undefined
}

/** A container of which only the cgroup is known. */
export function containerNamed(id: string, runtime: ContainerRuntime | undefined): Container {
  return {
    id,
    runtime,
    name: undefined,
    image: undefined,
    imageTag: undefined,
    imageDigest: undefined,
    labels: undefined,
  }
}

/** A pod of which only the uid is known. */
export function podNamed(uid: string): Pod {
  return {
    uid,
    name: undefined,
    namespace: undefined,
    node: undefined,
    cluster: undefined,
    clusterId: undefined,
    clusterVersion: undefined,
    ips: undefined,
    labels: undefined,
  }
}
