/**
 * Layouts of what runtimes and Kubernetes say of containers, as JSON of bounded size: `Details`, `PodDetails`,
 * `ClusterDetails` of details.ts.
 */

import { record, stringTail } from 'quark-ebpf/probe'

/** High byte of the types of records: unique among kinds, and part of the recording format. */
export const CONTAINER_KIND = 18

/** Longest JSON of one thing. */
export const MAX_DETAILS_BYTES = 32 << 10

const text = stringTail(MAX_DETAILS_BYTES)

/** What a runtime says of a container. */
export const containerLayout = record((CONTAINER_KIND << 8) | 1, 'containerDetails', { text })

/** What Kubernetes says of a pod. */
export const podLayout = record((CONTAINER_KIND << 8) | 2, 'podDetails', { text })

/** Kubernetes has no such pod any more; the text is its uid. */
export const podGoneLayout = record((CONTAINER_KIND << 8) | 3, 'podGone', { text })

/** What is known of the cluster. */
export const clusterLayout = record((CONTAINER_KIND << 8) | 4, 'clusterDetails', { text })

/** Who users are in a container: `UsersDetails`. */
export const usersLayout = record((CONTAINER_KIND << 8) | 6, 'containerUsers', { text })

/** A runtime or Kubernetes cannot be asked; the text says which, and why. */
export const problemLayout = record((CONTAINER_KIND << 8) | 5, 'containerProblem', { text })
