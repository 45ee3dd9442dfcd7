/** A pod by CRI, as the kubelet makes one: for tests of a containerd that really runs. */

import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { GrpcClient } from '../runtimes/grpc.js'
import { fieldsOfMessage, messageWith, stringIn } from '../runtimes/protobuf.js'

const SERVICE = '/runtime.v1.RuntimeService'
/** NamespaceOption with NODE as its network: no plugin for networks is needed. */
const NETWORK_OF_NODE = Buffer.from([0x08, 0x02])

export const IMAGE = 'quark.test/box:1.2'

/** What a pod is to be. */
export interface PodWish {
  readonly name: string
  readonly uid: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  /** Name of its container, and what that runs. */
  readonly container: string
  readonly command: readonly string[]
}

const text = messageWith
const message = (number: number, ...fields: Buffer[]): Buffer => messageWith(number, Buffer.concat(fields))
const map = (number: number, values: Readonly<Record<string, string>>): Buffer[] =>
  Object.entries(values).map(([name, value]) => message(number, text(1, name), text(2, value)))

/** A containerd with CRI of its own in a folder; a reason if it does not start here. */
export async function startContainerd(t: TestContext, folder: string): Promise<{ socket: string } | string> {
  const socket = join(folder, 'containerd.sock')
  const config = join(folder, 'config.toml')
  writeFileSync(
    config,
    `version = 2
root = "${folder}/root"
state = "${folder}/state"
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${folder}/ttrpc.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  disable_tcp_service = true
  enable_selinux = false
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    conf_dir = "${folder}/cni"
`,
  )
  const daemon = spawn('containerd', ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaints = ''
  daemon.stderr
    .setEncoding('utf8')
    .on('data', (more: string) => (complaints = (complaints + more).slice(-2000)))
  t.after(async () => {
    if (daemon.exitCode !== null) return
    daemon.kill()
    await new Promise((resolve) => void daemon.once('exit', resolve))
  })
  const client = new GrpcClient(socket)
  try {
    for (let i = 0; i < 200 && daemon.exitCode === null; i++) {
      try {
        await client.call(`${SERVICE}/Version`, Buffer.alloc(0), AbortSignal.timeout(2000))
        return { socket }
      } catch {
        await sleep(100)
      }
    }
  } finally {
    client.close()
  }
  return `containerd with CRI does not start here: ${complaints.slice(-300)}`
}

/** Gives it an image of one program; a reason if it does not take that. */
export function importImage(folder: string, socket: string, busybox: string): string | undefined {
  const image = join(folder, 'image')
  mkdirSync(image)
  spawnSync('tar', ['-C', '/', '-cf', join(image, 'layer.tar'), busybox.slice(1)])
  const layer = createHash('sha256')
    .update(readFileSync(join(image, 'layer.tar')))
    .digest('hex')
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Entrypoint: [busybox, 'sleep', '1000'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layer}`] },
  }
  writeFileSync(join(image, 'config.json'), JSON.stringify(config))
  const manifest = [{ Config: 'config.json', RepoTags: [IMAGE], Layers: ['layer.tar'] }]
  writeFileSync(join(image, 'manifest.json'), JSON.stringify(manifest))
  const archive = join(folder, 'image.tar')
  spawnSync('tar', ['-C', image, '-cf', archive, 'manifest.json', 'config.json', 'layer.tar'])
  const options = ['-a', socket, '-n', 'k8s.io', 'images', 'import', '--snapshotter', 'native', archive]
  const { status, stderr } = spawnSync('ctr', options, { encoding: 'utf8' })
  return status === 0 ? undefined : `ctr images import fails here: ${stderr.slice(-300)}`
}

/** A pod that runs, until it is removed. */
export class TestPod {
  readonly #client: GrpcClient
  #sandbox = ''
  container = ''

  constructor(socket: string) {
    this.#client = new GrpcClient(socket)
  }

  get sandbox(): string {
    return this.#sandbox
  }

  async start({ name, uid, namespace, labels, container, command }: PodWish): Promise<void> {
    const ofPod = {
      'io.kubernetes.pod.name': name,
      'io.kubernetes.pod.namespace': namespace,
      'io.kubernetes.pod.uid': uid,
    }
    const sandboxConfig = Buffer.concat([
      message(1, text(1, name), text(2, uid), text(3, namespace)),
      ...map(6, { ...ofPod, ...labels }),
      message(8, text(1, `/kubepods/besteffort/pod${uid}`), message(2, message(1, NETWORK_OF_NODE))),
    ])
    const made = await this.#call('RunPodSandbox', messageWith(1, sandboxConfig))
    this.#sandbox = stringIn(fieldsOfMessage(made), 1) ?? ''
    const containerConfig = Buffer.concat([
      message(1, text(1, container)),
      message(2, text(1, IMAGE)),
      ...command.map((part) => text(3, part)),
      ...map(9, { ...ofPod, 'io.kubernetes.container.name': container }),
      message(15, message(2, message(3, NETWORK_OF_NODE))),
    ])
    const request = [text(1, this.#sandbox), messageWith(2, containerConfig), messageWith(3, sandboxConfig)]
    const created = await this.#call('CreateContainer', Buffer.concat(request))
    this.container = stringIn(fieldsOfMessage(created), 1) ?? ''
    await this.#call('StartContainer', text(1, this.container))
  }

  async remove(): Promise<void> {
    try {
      if (this.#sandbox === '') return
      await this.#call('StopPodSandbox', text(1, this.#sandbox))
      await this.#call('RemovePodSandbox', text(1, this.#sandbox))
    } finally {
      this.#client.close()
    }
  }

  async #call(method: string, request: Buffer): Promise<Buffer> {
    const limit = AbortSignal.timeout(30_000)
    return (await this.#client.call(`${SERVICE}/${method}`, request, limit)) ?? Buffer.alloc(0)
  }
}
