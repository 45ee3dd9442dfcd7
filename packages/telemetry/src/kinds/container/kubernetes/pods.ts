/** Pods, as the API of Kubernetes describes them. */

import type { ContainerRuntime } from '../../../process/container.js'
import {
  type ClusterDetails,
  type Details,
  idOf,
  imageNameOf,
  ipsOf,
  itemsOf,
  labelsOf,
  membersOf,
  type PodDetails,
  textOf,
} from '../details.js'

/** A pod with its containers. */
export interface PodReport {
  readonly pod: PodDetails
  readonly containers: readonly Details[]
  /** It will not run again. */
  readonly isOver: boolean
}

/** Most containers of one pod. */
const MAX_CONTAINERS = 256

const RUNTIMES: Readonly<Record<string, ContainerRuntime>> = {
  docker: 'docker',
  containerd: 'containerd',
  'cri-o': 'cri-o',
}

/** What an object of kind Pod says; undefined if it is none. */
export function podReportOf(value: unknown): PodReport | undefined {
  const { metadata, spec, status } = membersOf(value)
  const { uid: anyUid, name, namespace, labels, deletionTimestamp } = membersOf(metadata)
  const uid = idOf(anyUid)
  if (uid === undefined) return undefined
  const { phase, podIPs, containerStatuses, initContainerStatuses, ephemeralContainerStatuses } =
    membersOf(status)
  const pod: PodDetails = {
    uid,
    name: textOf(name),
    namespace: textOf(namespace),
    node: textOf(membersOf(spec)['nodeName']),
    ips: ipsOf(podIPs),
    labels: labelsOf(labels),
  }
  const statuses = [containerStatuses, initContainerStatuses, ephemeralContainerStatuses].flatMap(itemsOf)
  const containers = statuses
    .slice(0, MAX_CONTAINERS)
    .map((one) => containerOf(one, uid))
    .filter((one) => one !== undefined)
  const isOver = deletionTimestamp !== undefined && (phase === 'Succeeded' || phase === 'Failed')
  return { pod, containers, isOver }
}

function containerOf(value: unknown, podUid: string): Details | undefined {
  const { containerID, name, image, imageID } = membersOf(value)
  // `containerd://` and the id; absent until the container was made.
  const [, runtime = '', rest] = /^([a-z-]+):\/\/(.+)$/.exec(textOf(containerID) ?? '') ?? []
  const id = idOf(rest)
  if (id === undefined) return undefined
  const named = imageNameOf(textOf(image, 1024))
  const { imageDigest } = imageNameOf(textOf(imageID, 1024)?.replace(/^[a-z-]+:\/\//, ''))
  return {
    id,
    runtime: RUNTIMES[runtime],
    name: textOf(name),
    ...named,
    imageDigest: imageDigest ?? named.imageDigest,
    podUid,
  }
}

/** What an answer to /version says. */
export function clusterOf(version: unknown): ClusterDetails {
  return { version: textOf(membersOf(version)['gitVersion']) }
}
