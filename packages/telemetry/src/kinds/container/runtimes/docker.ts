/** Docker and Podman, which has the same API: HTTP over a socket. */

import type { ContainerRuntime } from '../../../process/container.js'
import {
  type Details,
  digestOf,
  idOf,
  imageNameOf,
  itemsOf,
  labelsOf,
  membersOf,
  textOf,
} from '../details.js'
import { ask, type Asked, askJson, type JsonAnswer, linesOf } from './http.js'
import { type Answer, type Runtime, RuntimeProblem } from './runtime.js'

/** Connections that are kept: they work even when the process has given up the right to make others. */
const CONNECTIONS = 4
/** Digests of so many images are remembered. */
const MOST_IMAGES = 256

const EVENTS = encodeURIComponent(
  JSON.stringify({ type: ['container'], event: ['create', 'start', 'rename', 'update'] }),
)

/** A daemon with the API of Docker behind a socket. */
export class DockerRuntime implements Runtime {
  readonly name: string
  readonly #socketPath: string
  readonly #runtime: ContainerRuntime
  // Loaded when it is needed: that takes some ms of a start.
  readonly #http = process.getBuiltinModule('node:http')
  readonly #agent = new this.#http.Agent({
    keepAlive: true,
    maxSockets: CONNECTIONS,
    maxFreeSockets: CONNECTIONS,
  })
  readonly #streams = new this.#http.Agent()
  readonly #digests = new Map<string, string | undefined>()

  constructor(runtime: 'docker' | 'podman', socketPath: string) {
    this.name = `${runtime} at ${socketPath}`
    this.#runtime = runtime
    this.#socketPath = socketPath
  }

  mayKnow(runtime: ContainerRuntime | undefined): boolean {
    return runtime === undefined || runtime === this.#runtime
  }

  async list(signal: AbortSignal): Promise<readonly string[]> {
    const { status, body } = await this.#get('/containers/json', signal)
    if (status !== 200) throw new RuntimeProblem(`it refuses to list containers: status ${status}`)
    return itemsOf(body)
      .map((one) => idOf(membersOf(one)['Id']))
      .filter((id) => id !== undefined)
  }

  async describe(id: string, signal: AbortSignal): Promise<Answer | undefined> {
    const { status, body } = await this.#get(`/containers/${encodeURIComponent(id)}/json`, signal)
    if (status === 404) return undefined
    if (status !== 200) throw new RuntimeProblem(`it refuses to describe a container: status ${status}`)
    const members = membersOf(body)
    if (idOf(members['Id']) !== id) return undefined
    const config = membersOf(members['Config'])
    const image = imageNameOf(textOf(config['Image'], 1024))
    const imageDigest = image.imageDigest ?? (await this.#digestOf(textOf(members['Image']), signal))
    const labels = labelsOf(config['Labels'])
    const container: Details = {
      id,
      runtime: this.#runtime,
      // Docker has a slash before it.
      name: textOf(members['Name'])?.replace(/^\//, ''),
      ...image,
      imageDigest,
      labels,
    }
    return { container }
  }

  async watch(seen: (id: string) => void, signal: AbortSignal): Promise<void> {
    const response = await ask({ ...this.#at(`/events?filters=${EVENTS}`), agent: this.#streams }, signal)
    if (response.statusCode !== 200) {
      response.destroy()
      throw new RuntimeProblem(`it refuses to report events: status ${response.statusCode}`)
    }
    for await (const line of linesOf(response)) {
      const id = idOf(membersOf(membersOf(JSON.parse(line))['Actor'])['ID'])
      if (id !== undefined) seen(id)
    }
  }

  close(): void {
    this.#agent.destroy()
    this.#streams.destroy()
  }

  async #digestOf(image: string | undefined, signal: AbortSignal): Promise<string | undefined> {
    if (image === undefined || this.#digests.has(image)) return this.#digests.get(image ?? '')
    const { status, body } = await this.#get(`/images/${encodeURIComponent(image)}/json`, signal)
    const digest = status === 200 ? digestOf(membersOf(body)['RepoDigests']) : undefined
    if (this.#digests.size >= MOST_IMAGES) this.#digests.clear()
    this.#digests.set(image, digest)
    return digest
  }

  #get(path: string, signal: AbortSignal): Promise<JsonAnswer> {
    return askJson({ ...this.#at(path), agent: this.#agent }, signal)
  }

  #at(path: string): Asked {
    return { socketPath: this.#socketPath, path, headers: { Host: 'localhost' } }
  }
}
