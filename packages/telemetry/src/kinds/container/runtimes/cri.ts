/** containerd and CRI-O, by the interface that Kubernetes uses: runtime.v1 of CRI. */

import type { ContainerRuntime } from '../../../process/container.js'
import { type Details, idOf, imageNameOf, labelsOf, type PodDetails, textOf } from '../details.js'
import { GrpcClient } from './grpc.js'
import {
  fieldsOfMessage,
  type MessageFields,
  messageIn,
  messagesIn,
  messageWith,
  stringIn,
  stringsIn,
} from './protobuf.js'
import type { Answer, Runtime } from './runtime.js'

const SERVICE = '/runtime.v1.RuntimeService'
const NOTHING = Buffer.alloc(0)

/** Numbers of fields in api.proto of cri-api. */
/** Of containers, and of sandboxes of pods. */
const LIST = { items: 1 } as const
const ITEM = { id: 1 } as const
const STATUS = { status: 1 } as const
const CONTAINER_STATUS = { id: 1, metadata: 2, image: 8, imageRef: 9, labels: 12 } as const
const SANDBOX_STATUS = { id: 1, metadata: 2, labels: 7 } as const
const CONTAINER_METADATA = { name: 1 } as const
const SANDBOX_METADATA = { name: 1, uid: 2, namespace: 3 } as const
const IMAGE_SPEC = { image: 1, userSpecified: 18 } as const
/** Both requests have the id first. */
const REQUEST_ID = 1

/** Labels that the kubelet gives containers. */
const POD_NAME = 'io.kubernetes.pod.name'
const POD_NAMESPACE = 'io.kubernetes.pod.namespace'
const POD_UID = 'io.kubernetes.pod.uid'

/** A runtime with CRI behind a socket. */
export class CriRuntime implements Runtime {
  readonly name: string
  readonly #client: GrpcClient
  readonly #runtime: ContainerRuntime | undefined

  /** `runtime` is undefined if the socket does not say what is behind it. */
  constructor(runtime: 'containerd' | 'cri-o' | undefined, socketPath: string) {
    this.name = `${runtime ?? 'CRI'} at ${socketPath}`
    this.#runtime = runtime
    this.#client = new GrpcClient(socketPath)
  }

  mayKnow(runtime: ContainerRuntime | undefined): boolean {
    if (runtime === undefined || runtime === this.#runtime) return true
    return this.#runtime === undefined && ['containerd', 'cri-o', 'docker'].includes(runtime)
  }

  async list(signal: AbortSignal): Promise<readonly string[]> {
    const ids: string[] = []
    // Sandboxes first: they have the labels of pods.
    for (const method of ['ListPodSandbox', 'ListContainers']) {
      const answer = await this.#client.call(`${SERVICE}/${method}`, NOTHING, signal)
      for (const one of messagesIn(fieldsOfMessage(answer ?? NOTHING), LIST.items)) {
        const id = idOf(stringIn(one, ITEM.id))
        if (id !== undefined) ids.push(id)
      }
    }
    return ids
  }

  async describe(id: string, signal: AbortSignal): Promise<Answer | undefined> {
    const request = messageWith(REQUEST_ID, id)
    const answer = await this.#client.call(`${SERVICE}/ContainerStatus`, request, signal)
    if (answer !== undefined) return this.#container(id, messageIn(fieldsOfMessage(answer), STATUS.status))
    // The cgroup of a pod's sandbox looks like that of a container.
    const sandbox = await this.#client.call(`${SERVICE}/PodSandboxStatus`, request, signal)
    return sandbox === undefined
      ? undefined
      : this.#sandbox(id, messageIn(fieldsOfMessage(sandbox), STATUS.status))
  }

  close(): void {
    this.#client.close()
  }

  #container(id: string, status: MessageFields): Answer | undefined {
    if (stringIn(status, CONTAINER_STATUS.id) !== id) return undefined
    const spec = messageIn(status, CONTAINER_STATUS.image)
    const named = imageNameOf(
      textOf(stringIn(spec, IMAGE_SPEC.userSpecified) ?? stringIn(spec, IMAGE_SPEC.image), 1024),
    )
    const referred = imageNameOf(textOf(stringIn(status, CONTAINER_STATUS.imageRef), 1024))
    const labels = stringsIn(status, CONTAINER_STATUS.labels)
    const podUid = idOf(labels[POD_UID])
    const container: Details = {
      id,
      runtime: this.#runtime,
      name: textOf(stringIn(messageIn(status, CONTAINER_STATUS.metadata), CONTAINER_METADATA.name)),
      image: named.image ?? referred.image,
      imageTag: named.imageTag ?? referred.imageTag,
      imageDigest: referred.imageDigest ?? named.imageDigest,
      labels: labelsOf(labels),
      podUid,
    }
    if (podUid === undefined) return { container }
    const pod: PodDetails = {
      uid: podUid,
      name: textOf(labels[POD_NAME]),
      namespace: textOf(labels[POD_NAMESPACE]),
    }
    return { container, pod }
  }

  #sandbox(id: string, status: MessageFields): Answer | undefined {
    if (stringIn(status, SANDBOX_STATUS.id) !== id) return undefined
    const metadata = messageIn(status, SANDBOX_STATUS.metadata)
    const uid = idOf(stringIn(metadata, SANDBOX_METADATA.uid))
    const labels = labelsOf(stringsIn(status, SANDBOX_STATUS.labels))
    const container: Details = { id, runtime: this.#runtime, labels, podUid: uid }
    if (uid === undefined) return { container }
    const pod: PodDetails = {
      uid,
      name: textOf(stringIn(metadata, SANDBOX_METADATA.name)),
      namespace: textOf(stringIn(metadata, SANDBOX_METADATA.namespace)),
      labels,
    }
    return { container, pod }
  }
}
