import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Quark } from '../../quark.js'
import type { QuarkEvent } from '../index.js'
import { takeUntil } from './testing/cgroups.js'
import { IMAGE, importImage, startContainerd, TestPod } from './testing/cri-pod.js'

const LIMIT = { timeout: 240_000 }
const missing = ['containerd', 'ctr', 'runc', 'busybox'].filter(
  (program) => spawnSync('which', [program]).status !== 0,
)
const busybox = spawnSync('which', ['busybox']).stdout.toString().trim()
const skip = missing.length > 0 ? `not installed: ${missing.join(', ')}` : false

test(
  'the first process of a pod of CRI has its container, its entry and its user on a busy machine; name, image, namespace and labels follow at once',
  { ...LIMIT, skip },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'quark-cri-'))
    t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
    const containerd = await startContainerd(t, folder)
    if (typeof containerd === 'string') return t.skip(containerd)
    const { socket } = containerd
    const refused = importImage(folder, socket, busybox)
    if (refused !== undefined) return t.skip(refused)
    const busy = spawn('/bin/sh', ['-c', 'while :; do /bin/true; done'], { stdio: 'ignore' })
    t.after(() => void busy.kill('SIGKILL'))
    await using quark = await Quark.open({ holdMs: 300, containers: true, containerSocket: socket })
    const uid = randomUUID()
    const pod = new TestPod(socket)
    const events: QuarkEvent[] = []
    const isOurs = ({ kind, process }: QuarkEvent): boolean =>
      kind === 'process' && process?.argv?.[0] === busybox && process.argv[2] === '88.01'
    const isContainer = (event: QuarkEvent): boolean =>
      event.kind === 'container' && event.container?.id === pod.container
    const isPod = (event: QuarkEvent): boolean =>
      event.kind === 'container' && event.pod?.uid === uid && event.pod.labels !== undefined
    const started = pod.start({
      name: 'web-1',
      uid,
      namespace: 'shop',
      labels: { app: 'web' },
      container: 'front',
      command: [busybox, 'sleep', '88.01'],
    })
    const failures: unknown[] = []
    void started.catch((error: unknown) => failures.push(error))
    try {
      const end = performance.now() + 90_000
      let last: QuarkEvent | undefined
      const isEnough = (): boolean => last !== undefined && events.some(isContainer) && events.some(isPod)
      while (failures.length === 0 && performance.now() < end && !isEnough()) {
        await takeUntil(quark, events, () => true, 500)
        last = events.find(isOurs)
      }
      if (failures.length > 0) return t.skip(`pods cannot be run here: ${String(failures[0]).slice(0, 300)}`)
      await started
      const first = events.find(isOurs)?.process
      assert.ok(first !== undefined, 'the first process of the container is missing')
      assert.deepEqual(
        [first.container?.id, first.pod?.uid, first.entry?.type, first.entry?.pid, first.euid, first.uid],
        [pod.container, uid, 'container', first.pid, 0, 0],
      )
      // What the event did not have yet is in one that completes it.
      const container = events.find(isContainer)
      assert.ok(container?.kind === 'container', 'the container was not described')
      const { runtime, name, image, imageTag } = container.container ?? {}
      assert.deepEqual([runtime, name, `${image}:${imageTag}`], ['containerd', 'front', IMAGE])
      const ofPod = events.find(isPod)
      assert.ok(ofPod?.kind === 'container', 'the pod was not described')
      assert.deepEqual(
        [ofPod.pod?.name, ofPod.pod?.namespace, ofPod.pod?.labels?.['app']],
        ['web-1', 'shop', 'web'],
      )
      // The container of the pod itself is no other place: it has the same pod.
      const pause = events.find(({ process }) => process?.container?.id === pod.sandbox)
      assert.equal(pause?.process?.pod?.uid, uid)
      t.diagnostic(`the first event had its name: ${first.container?.name !== undefined}`)
    } finally {
      await started.catch(() => undefined)
      await pod.remove()
    }
  },
)
