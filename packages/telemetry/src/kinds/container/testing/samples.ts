import * as fc from 'fast-check'
import { hostileText, maybe, u32, u64 } from '../../../testing/hostile-text.js'
import type { Samples } from '../../../testing/samples.js'
import type { Made } from '../../../event/forms.js'
import type { ContainerEvent, ContainerProblemEvent } from '../events.js'

/** 2026-01-02T03:04:05.000000006Z. */
const TIME_NS = 1_767_323_045_000_000_006n

const KNOWN: Made<ContainerEvent> = {
  kind: 'container',
  timeNs: TIME_NS,
  action: 'known',
  container: {
    id: '3f2a9c0e7d41b86510c2f7aa9e5d3b7c61f04e2a8d9b7350e1c6f4a2d8b90717',
    runtime: 'containerd',
    name: 'web',
    image: 'docker.io/library/nginx',
    imageTag: '1.27',
    imageDigest: `sha256:${'0'.repeat(64)}`,
    labels: { 'io.kubernetes.pod.name': 'web-1' },
  },
  pod: {
    uid: '0e1c6f4a-2d8b-4071-9b73-50e1c6f4a2d8',
    name: 'web-1',
    namespace: 'shop',
    node: 'node-7',
    cluster: undefined,
    clusterId: undefined,
    clusterVersion: 'v1.33.1',
    ips: ['10.0.0.7'],
    labels: { app: 'web' },
  },
  process: undefined,
}

const USER: Made<ContainerEvent> = {
  ...KNOWN,
  pod: undefined,
  uid: 33,
  user: 'www-data',
  gid: 33,
  group: 'www-data',
}

const GONE: Made<ContainerEvent> = { ...KNOWN, action: 'gone', container: undefined }

const PROBLEM: Made<ContainerProblemEvent> = {
  kind: 'containerProblem',
  timeNs: TIME_NS,
  problem: 'Cannot ask docker at /run/docker.sock: connect EACCES',
  process: undefined,
}

const labels = maybe(fc.dictionary(hostileText, hostileText))

const any: fc.Arbitrary<Made<ContainerEvent> | Made<ContainerProblemEvent>> = fc.oneof(
  fc.record({
    kind: fc.constant('container' as const),
    timeNs: u64,
    action: fc.constantFrom('known' as const, 'gone' as const),
    container: maybe(
      fc.record({
        id: hostileText,
        runtime: maybe(fc.constantFrom('docker' as const, 'cri-o' as const)),
        name: maybe(hostileText),
        image: maybe(hostileText),
        imageTag: maybe(hostileText),
        imageDigest: maybe(hostileText),
        labels,
      }),
    ),
    pod: maybe(
      fc.record({
        uid: hostileText,
        name: maybe(hostileText),
        namespace: maybe(hostileText),
        node: maybe(hostileText),
        cluster: maybe(hostileText),
        clusterId: maybe(hostileText),
        clusterVersion: maybe(hostileText),
        ips: maybe(fc.array(fc.ipV4())),
        labels,
      }),
    ),
    uid: maybe(u32),
    user: maybe(hostileText),
    gid: maybe(u32),
    group: maybe(hostileText),
    process: fc.constant(undefined),
  }),
  fc.record({
    kind: fc.constant('containerProblem' as const),
    timeNs: u64,
    problem: hostileText,
    process: fc.constant(undefined),
  }),
)

/** Samples of the events of containers. */
export const samples: Samples = { golden: [KNOWN, GONE, PROBLEM, USER], any }
