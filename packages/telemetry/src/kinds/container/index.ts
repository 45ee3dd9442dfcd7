import type { Inquiries } from '../../process/details.js'
import type { Kind, RecordType } from '../kind.js'
import {
  applyCluster,
  applyContainer,
  applyPod,
  applyPodGone,
  applyProblem,
  applyUsers,
  learn,
} from './apply.js'
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
  usersLayout,
} from './records.js'
import { type AsksAbout, ContainerTable } from './table.js'

const queue = { text: 'a full queue of answers', reason: 'it is asked for again, or repeated later' }

const records = [
  { name: 'containerDetails', layout: containerLayout, apply: applyContainer, learn, queue },
  { name: 'podDetails', layout: podLayout, apply: applyPod, learn, queue },
  { name: 'podGone', layout: podGoneLayout, apply: applyPodGone, queue },
  { name: 'clusterDetails', layout: clusterLayout, apply: applyCluster, learn, queue },
  { name: 'containerUsers', layout: usersLayout, apply: applyUsers, learn, queue },
  { name: 'containerProblem', layout: problemLayout, apply: applyProblem, queue },
] satisfies RecordType[]

/** What runtimes and Kubernetes say of containers, which events of processes have as far as it is known. */
export const containerKind: Kind<typeof containerOptions, typeof containerEvents> = {
  name: 'container',
  number: CONTAINER_KIND,
  options: containerOptions,
  facts: containerFacts,
  table: ({ settings, inquiries }) =>
    new ContainerTable(settings.maxContainers, inquiries && askerOf(inquiries), settings.containerUsers),
  records,
  joins: { default: [], minimal: [] },
  factLabels: {
    containers: 'names of containers',
    kubernetes: 'pods of this node',
    kubeFrames: 'pods, from a file',
    containerUsers: 'users of containers',
  },
  events: containerEvents,
}

function askerOf(inquiries: Inquiries): AsksAbout {
  return {
    container: ({ id, runtime }) => inquiries.asked?.(id, runtime),
    users: (asked) => inquiries.askedUsers?.(asked),
  }
}
