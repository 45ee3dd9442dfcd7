import type { OptionSpecs, SettingsOf } from '../../options/spec.js'

/** Options about containers and Kubernetes. */
export const containerOptions = {
  /** Ask the runtimes of containers for names, images and labels. Default false: only what cgroups say. */
  containers: {
    type: 'flag',
    default: false,
    notWithBypass: true,
    command: {
      group: 'watch',
      long: 'containers',
      help: 'ask Docker, Podman, containerd and CRI-O for the names, images and labels of containers',
      more: 'No event waits for an answer: what is known later is in an event of its own, and in the events after that.',
    },
  },
  /** Socket of the only runtime to be asked; implies nothing by itself. Default: those that are at their usual places. */
  containerSocket: {
    type: 'path',
    notWithBypass: true,
    command: {
      group: 'watch',
      long: 'container-socket',
      argument: 'SOCKET',
      help: 'with --containers, ask only the runtime behind this socket',
      more: 'If its path has docker or podman in it, it is asked as Docker, else by CRI.',
    },
  },
  /** Name users and groups in containers by the containers' own passwd and group. Default false. */
  containerUsers: {
    type: 'flag',
    default: false,
    notWithBypass: true,
    command: {
      group: 'watch',
      long: 'container-users',
      help: "name the users and groups of processes in containers by the containers' own files, too",
      more: 'No event waits: the first of a user has the number alone, and what was read is in an event of its own.',
    },
  },
  /** Watch the pods of this node by the API of Kubernetes. Default false. */
  kubernetes: {
    type: 'flag',
    default: false,
    notWithBypass: true,
    command: {
      group: 'watch',
      long: 'kubernetes',
      help: 'watch the pods of this node by the API of Kubernetes',
      more: 'In a pod with its service account, else with the file of -K, of KUBECONFIG, or ~/.kube/config.',
    },
  },
  /** File that says how to reach the API of Kubernetes. Default: `KUBECONFIG`, then `~/.kube/config`. */
  kubeconfig: {
    type: 'path',
    notWithBypass: true,
    command: {
      group: 'watch',
      long: 'kubeconfig',
      short: 'K',
      argument: 'FILE',
      help: 'watch the pods of this node by the API of Kubernetes, which this file says how to reach',
    },
  },
  /** File, FIFO or descriptor (`/dev/fd/3`) with the messages of quark-kube-talker: lengths and JSON. */
  kubeFrames: {
    type: 'path',
    notWithBypass: true,
    command: {
      group: 'watch',
      long: 'kube-frames',
      argument: 'FILE',
      help: 'read what quark-kube-talker -m writes about pods from this FIFO or descriptor, such as /dev/fd/3',
    },
  },
  /** Most containers, and most pods, of which details are remembered. Default 4,096. */
  maxContainers: {
    type: 'count',
    default: 4096,
    min: 16,
    max: 1_000_000,
    isRecorded: true,
    notWithBypass: true,
    command: {
      group: 'buffer',
      long: 'max-containers',
      argument: 'N',
      help: 'remember the details of at most this many containers, and of as many pods',
    },
  },
} as const satisfies OptionSpecs

/** These options with every default filled in. */
export type ContainerSettings = SettingsOf<typeof containerOptions>
