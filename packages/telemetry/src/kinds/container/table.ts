import type { KindTable } from '../../event/table.js'
import type { ProcessRecord } from '../../process/entry.js'
import type { PlaceDetails } from '../../process/details.js'
import { type Place, placeOf, type PlaceUsers } from '../../process/place.js'
import type { Container, Pod } from '../../process/process.js'
import type { ClusterDetails, Details, PodDetails, UsersDetails } from './details.js'
import type { AskedUsers } from './users/asked.js'
import { UsersTable } from './users/users-table.js'

/** Places with details, of so many cgroups. */
const MOST_PLACES = 1024

interface KnownPlace {
  readonly details: Details | undefined
  readonly pod: PodDetails | undefined
  readonly cluster: ClusterDetails | undefined
  readonly users: PlaceUsers | undefined
  readonly place: Place
}

/** Who is asked about what is not known. */
export interface AsksAbout {
  container(container: Container): void
  users(asked: AskedUsers): void
}

/**
 * What runtimes and Kubernetes have said of containers and pods. Bounded: what was learnt longest ago is forgotten, and
 * asked for again if it is needed.
 */
export class ContainerTable implements KindTable, PlaceDetails {
  /** What is forgotten can be asked for again, so nothing is lost. */
  readonly evicted = 0
  forgotten = 0
  readonly #containers = new Map<string, Details>()
  readonly #pods = new Map<string, PodDetails>()
  #cluster: ClusterDetails | undefined = undefined
  readonly #limit: number
  readonly #places = new Map<string, KnownPlace>()
  readonly #asks: AsksAbout | undefined
  readonly #users: UsersTable

  /** Asks about containers of which nothing is known, and, with `hasUsers`, about users. */
  constructor(limit: number, asks?: AsksAbout, hasUsers = false) {
    this.#limit = limit
    this.#asks = asks
    this.#users = new UsersTable(
      limit,
      hasUsers && asks !== undefined ? (asked) => asks.users(asked) : undefined,
    )
  }

  get size(): number {
    return this.#containers.size + this.#pods.size
  }

  /** The place of a cgroup with all that is known; undefined if nothing is known beyond its path. */
  placeOf(cgroup: string, process: ProcessRecord): Place | undefined {
    const plain = placeOf(cgroup)
    const { container, pod: plainPod } = plain
    if (container === undefined && plainPod === undefined) return undefined
    const details = container === undefined ? undefined : this.#containers.get(container.id)
    if (container !== undefined && details === undefined) this.#asks?.container(container)
    const uid = details?.podUid ?? plainPod?.uid
    const pod = uid === undefined ? undefined : this.#pods.get(uid)
    const users = container === undefined ? undefined : this.#users.usersOf(container, process)
    if (details === undefined && pod === undefined && users === undefined) return undefined
    const cluster = this.#cluster
    const known = this.#places.get(cgroup)
    if (
      known?.details === details &&
      known?.pod === pod &&
      known?.cluster === cluster &&
      known?.users === users
    )
      return known?.place
    const place: Place = {
      ...plain,
      container: container === undefined ? undefined : containerWith(container, details),
      pod: uid === undefined ? undefined : podWith(uid, pod, cluster),
      users,
    }
    if (this.#places.size >= MOST_PLACES) this.#places.clear()
    this.#places.set(cgroup, { details, pod, cluster, users, place })
    return place
  }

  /** A container with what is known of it, and its pod; undefined if nothing is known. */
  described(id: string): { readonly container: Container; readonly pod: Pod | undefined } | undefined {
    const details = this.#containers.get(id)
    if (details === undefined) return undefined
    const { podUid } = details
    return {
      container: containerWith({ id, runtime: undefined }, details),
      pod: podUid === undefined ? undefined : podWith(podUid, this.#pods.get(podUid), this.#cluster),
    }
  }

  /** A pod with what is known of it. */
  describedPod(uid: string): Pod {
    return podWith(uid, this.#pods.get(uid), this.#cluster)
  }

  learnContainer(details: Details): void {
    const before = this.#containers.get(details.id)
    this.#containers.delete(details.id)
    // A runtime knows labels and digests that Kubernetes does not, and Kubernetes pods that a runtime does not.
    this.#containers.set(details.id, before === undefined ? details : { ...before, ...known(details) })
    this.#forgetOldest(this.#containers)
  }

  learnUsers(details: UsersDetails): void {
    this.#users.learn(details)
  }

  learnPod(pod: PodDetails): void {
    const before = this.#pods.get(pod.uid)
    this.#pods.delete(pod.uid)
    this.#pods.set(pod.uid, before === undefined ? pod : { ...before, ...known(pod) })
    this.#forgetOldest(this.#pods)
  }

  learnCluster(cluster: ClusterDetails): void {
    this.#cluster = { ...this.#cluster, ...known(cluster) }
  }

  /** Forgets a pod, and its containers, that Kubernetes does not have any more. */
  forgetPod(uid: string): void {
    this.#pods.delete(uid)
    for (const [id, { podUid }] of this.#containers) if (podUid === uid) this.#containers.delete(id)
  }

  collect(): void {
    // Nothing expires: containers are forgotten when there are too many, and pods when they are gone.
  }

  collectInNs(): number {
    return Number.POSITIVE_INFINITY
  }

  stats(): Readonly<Record<string, number>> {
    return { containers: this.#containers.size, pods: this.#pods.size, forgotten: this.forgotten }
  }

  #forgetOldest(from: Map<string, unknown>): void {
    if (from.size <= this.#limit) return
    for (const key of from.keys()) {
      from.delete(key)
      this.forgotten += 1
      return
    }
  }
}

/** The members that are known. */
function known<T extends object>(from: T): Partial<T> {
  return Object.fromEntries(Object.entries(from).filter(([, value]) => value !== undefined)) as Partial<T>
}

function containerWith(
  { id, runtime }: Pick<Container, 'id' | 'runtime'>,
  details: Details | undefined,
): Container {
  return {
    id,
    runtime: details?.runtime ?? runtime,
    name: details?.name,
    image: details?.image,
    imageTag: details?.imageTag,
    imageDigest: details?.imageDigest,
    labels: details?.labels,
  }
}

function podWith(uid: string, pod: PodDetails | undefined, cluster: ClusterDetails | undefined): Pod {
  return {
    uid,
    name: pod?.name,
    namespace: pod?.namespace,
    node: pod?.node,
    cluster: cluster?.name,
    clusterId: cluster?.id,
    clusterVersion: cluster?.version,
    ips: pod?.ips,
    labels: pod?.labels,
  }
}
