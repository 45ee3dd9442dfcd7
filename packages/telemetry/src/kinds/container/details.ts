/** What runtimes and Kubernetes say, taken out of whatever they answer, in bounded form. */

import { isIP } from 'node:net'
import type { ContainerRuntime } from '../../process/container.js'

/** Labels by name. */
export type Labels = Readonly<Record<string, string>>

/** Of a container. */
export interface Details {
  readonly id: string
  readonly runtime?: ContainerRuntime | undefined
  readonly name?: string | undefined
  readonly image?: string | undefined
  readonly imageTag?: string | undefined
  readonly imageDigest?: string | undefined
  readonly labels?: Labels | undefined
  /** Uid of its pod. */
  readonly podUid?: string | undefined
}

/** Of a pod. */
export interface PodDetails {
  readonly uid: string
  readonly name?: string | undefined
  readonly namespace?: string | undefined
  readonly node?: string | undefined
  readonly ips?: readonly string[] | undefined
  readonly labels?: Labels | undefined
}

/** Of the cluster that the machine belongs to. */
export interface ClusterDetails {
  readonly name?: string | undefined
  readonly id?: string | undefined
  readonly version?: string | undefined
}

/** Longest name, image or value of a label; longer ones are cut. */
const MAX_TEXT = 256
const MAX_LABEL_NAME = 128
/** Most labels, and most characters of all of them: the rest is left out. */
const MAX_LABELS = 64
const MAX_LABELS_CHARS = 8192
const MAX_IPS = 16
/** Ids are 64 digits or names. */
const MAX_ID = 128

/** Names of a user and a group, as the files of a container have them; ids are those of the machine. */
export interface UsersDetails {
  readonly id: string
  readonly uid?: number | undefined
  readonly user?: string | undefined
  readonly gid?: number | undefined
  readonly group?: string | undefined
}

/** An object of JSON. */
export type Members = Readonly<Record<string, unknown>>

/** Its members; none if it is no object. */
export function membersOf(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {}
}

/** The items of a list; none if it is no list. */
export function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : []
}

/** A text, cut; undefined if it is none, or empty. */
export function textOf(value: unknown, most = MAX_TEXT): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, most) : undefined
}

/** An id; undefined if it is too long to be one. */
export function idOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= MAX_ID ? value : undefined
}

/** Labels, as many as are kept. */
export function labelsOf(value: unknown): Labels | undefined {
  const labels: [name: string, value: string][] = []
  let chars = 0
  for (const [name, one] of Object.entries(membersOf(value))) {
    if (typeof one !== 'string' || name.length > MAX_LABEL_NAME) continue
    const text = one.slice(0, MAX_TEXT)
    chars += name.length + text.length
    if (labels.length === MAX_LABELS || chars > MAX_LABELS_CHARS) break
    labels.push([name, text])
  }
  return labels.length === 0 ? undefined : Object.fromEntries(labels)
}

function ipOf(value: unknown): string | undefined {
  return typeof value === 'string' && isIP(value) !== 0 ? value : undefined
}

/** Addresses of a pod. */
export function ipsOf(value: unknown): readonly string[] | undefined {
  const ips = itemsOf(value)
    .slice(0, MAX_IPS)
    .map((one) => ipOf(membersOf(one)['ip']))
    .filter((ip) => ip !== undefined)
  return ips.length === 0 ? undefined : ips
}

/** What a recording says of a container, a pod or a cluster: it may come from anywhere. */
export function detailsFrom(members: Members): Details | undefined {
  const id = idOf(members['id'])
  if (id === undefined) return undefined
  const runtime = RUNTIMES.find((one) => one === members['runtime'])
  return {
    id,
    runtime,
    name: textOf(members['name']),
    image: textOf(members['image']),
    imageTag: textOf(members['imageTag']),
    imageDigest: textOf(members['imageDigest']),
    labels: labelsOf(members['labels']),
    podUid: idOf(members['podUid']),
  }
}

/** As `detailsFrom`. */
export function podFrom(members: Members): PodDetails | undefined {
  const uid = idOf(members['uid'])
  if (uid === undefined) return undefined
  const ips = itemsOf(members['ips'])
    .slice(0, MAX_IPS)
    .map(ipOf)
    .filter((ip) => ip !== undefined)
  return {
    uid,
    name: textOf(members['name']),
    namespace: textOf(members['namespace']),
    node: textOf(members['node']),
    ips: ips.length === 0 ? undefined : ips,
    labels: labelsOf(members['labels']),
  }
}

/** As `detailsFrom`. */
export function usersFrom(members: Members): UsersDetails | undefined {
  const id = idOf(members['id'])
  if (id === undefined) return undefined
  return {
    id,
    uid: numberOf(members['uid']),
    user: textOf(members['user']),
    gid: numberOf(members['gid']),
    group: textOf(members['group']),
  }
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff
    ? value
    : undefined
}

/** As `detailsFrom`. */
export function clusterFrom(members: Members): ClusterDetails {
  return { name: textOf(members['name']), id: textOf(members['id']), version: textOf(members['version']) }
}

const RUNTIMES: readonly ContainerRuntime[] = [
  'docker',
  'podman',
  'containerd',
  'cri-o',
  'lxc',
  'systemd-nspawn',
  'ecs',
]

/** Parts of the name of an image. */
export interface ImageName {
  readonly image: string | undefined
  readonly imageTag: string | undefined
  readonly imageDigest: string | undefined
}

const DIGEST = /^sha256:[0-9a-f]{64}$/

/** `registry:5000/team/web:1.2@sha256:…` in its parts. A digest alone is no name. */
export function imageNameOf(reference: string | undefined): ImageName {
  if (reference === undefined) return { image: undefined, imageTag: undefined, imageDigest: undefined }
  const at = reference.indexOf('@')
  const named = at < 0 ? reference : reference.slice(0, at)
  const digest = at < 0 ? undefined : reference.slice(at + 1)
  const imageDigest = digest !== undefined && DIGEST.test(digest) ? digest : undefined
  if (/^(?:sha256:)?[0-9a-f]{64}$/.test(named)) return { image: undefined, imageTag: undefined, imageDigest }
  // A colon before the last slash is that of a port.
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1)
  return {
    image: textOf(colon < 0 ? named : named.slice(0, colon)),
    imageTag: colon < 0 ? undefined : textOf(named.slice(colon + 1)),
    imageDigest,
  }
}

/** The digest in the references of an image, of which the first that has one counts. */
export function digestOf(references: unknown): string | undefined {
  for (const reference of itemsOf(references)) {
    const { imageDigest } = imageNameOf(textOf(reference, 1024))
    if (imageDigest !== undefined) return imageDigest
  }
  return undefined
}
