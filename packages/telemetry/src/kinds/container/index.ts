import type { Kind, RecordType } from '../kind.js'
import { applyCluster, applyContainer, applyPod, applyPodGone, applyProblem, learn } from './apply.js'
import { containerEvents } from './event-specs.js'
import { containerFacts } from './facts.js'
import { containerOptions } from './options.js'
import {
  clusterLayout,
  CONTAINER_KIND,
  containerLayout,
  podGoneLayout,
  podLayout,
  problemLayout,
} from './records.js'
import { ContainerTable } from './table.js'

const records = [
  { name: 'containerDetails', layout: containerLayout, apply: applyContainer, learn },
  { name: 'podDetails', layout: podLayout, apply: applyPod, learn },
  { name: 'podGone', layout: podGoneLayout, apply: applyPodGone },
  { name: 'clusterDetails', layout: clusterLayout, apply: applyCluster, learn },
  { name: 'containerProblem', layout: problemLayout, apply: applyProblem },
] satisfies RecordType[]

/** What runtimes and Kubernetes say of containers, which events of processes have as far as it is known. */
export const containerKind: Kind<typeof containerOptions, typeof containerEvents> = {
  name: 'container',
  number: CONTAINER_KIND,
  options: containerOptions,
  facts: containerFacts,
  table: ({ settings, inquiries }) =>
    new ContainerTable(settings.maxContainers, ({ id, runtime }) => inquiries?.asked?.(id, runtime)),
  records,
  joins: { default: [], minimal: [] },
  factLabels: {
    containers: 'names of containers',
    kubernetes: 'pods of this node',
    kubeFrames: 'pods, from a file',
  },
  events: containerEvents,
}
