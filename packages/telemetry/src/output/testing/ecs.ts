/** ECS documents in tests. */

import assert from 'node:assert/strict'
import { EcsFlat } from '@elastic/ecs'
import type { BaseEvent } from '../../event/event.js'
import type { Process } from '../../process/process.js'
import { allSamples } from '../../testing/samples.js'
import type { EcsHost } from '../ecs-host.js'
import type { EcsContext } from '../ecs.js'

const HOST: EcsHost = {
  hostname: 'web-1',
  machineId: '0123456789abcdef0123456789abcdef',
  architecture: 'x86_64',
  bootId: '6a0f9a1c-0d3c-4a53-8d4e-0f3a5b1f7c11',
  ips: ['192.0.2.7', '2001:db8::7'],
  macs: ['00:00:5e:00:53:23'],
  kernelRelease: '6.12.1',
  osName: 'Debian GNU/Linux',
  osVersion: '12',
  osFull: 'Debian GNU/Linux 12',
  osId: 'debian',
  cloudProvider: 'aws',
  cloudRegion: 'eu-west-1',
  cloudZone: 'eu-west-1b',
  cloudInstanceId: 'i-0123456789abcdef0',
  capabilities: '0x000001fffeffffff',
}

const USERS = new Map([
  [0, 'root'],
  [1000, 'ann'],
])

export const CONTEXT: EcsContext = {
  host: HOST,
  userName: (uid) => USERS.get(uid),
  groupName: (gid) => (gid === 2 ? 'bin' : undefined),
}

const SAMPLES = allSamples.flatMap(({ processes = [] }) => processes)

/** The event with its relatives, who are found by nothing but their pids. */
export function related<E extends BaseEvent>(event: E, processes: readonly Process[] = SAMPLES): E {
  const { process } = event as { process?: Process }
  if (process === undefined) return event
  const find = (pid: number | undefined): Process | undefined =>
    pid === process.pid ? process : processes.find((p) => p.pid === pid)
  const parent = find(process.ppid)
  const sessionLeader = find(process.sid)
  const relatives = {
    parent,
    groupLeader: find(process.pgid),
    sessionLeader,
    parentGroupLeader: find(parent?.pgid),
    sessionLeaderParent: find(sessionLeader?.ppid),
  }
  return { ...event, relatives }
}

type Json = Readonly<Record<string, unknown>>

export function parse(line: string): Json {
  return JSON.parse(line) as Json
}

/** The value at a dotted path. */
export function valueAt(document: Json, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Json | undefined)?.[key], document)
}

/** Values by dotted path; arrays are values. */
export function flatten(document: Json, prefix = ''): [string, unknown][] {
  return Object.entries(document).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? flatten(value as Json, `${prefix}${key}.`)
      : [[prefix + key, value] as [string, unknown]],
  )
}

/** A field, as ECS publishes it. */
export interface EcsField {
  readonly type: string
  readonly normalize: readonly string[]
  readonly pattern?: string
  readonly allowed_values?: readonly {
    readonly name: string
    readonly expected_event_types?: readonly string[]
  }[]
}

/** The fields of ECS, by path. */
export const FIELDS = EcsFlat as unknown as Readonly<Record<string, EcsField>>
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/

const HAS_TYPE: Readonly<Record<string, (value: unknown) => boolean>> = {
  keyword: (value) => typeof value === 'string',
  match_only_text: (value) => typeof value === 'string',
  wildcard: (value) => typeof value === 'string',
  ip: (value) => typeof value === 'string' && /^[\da-f.:]+$/.test(value),
  long: Number.isInteger,
  boolean: (value) => typeof value === 'boolean',
  date: (value) => typeof value === 'string' && DATE.test(value),
}

/** A field that ECS has, with a value of its type. */
export function assertEcs(path: string, value: unknown): void {
  // Labels are an object with any members.
  if (path.startsWith('container.labels.')) {
    assert.equal(FIELDS['container.labels']?.type, 'object')
    assert.equal(typeof value, 'string')
    return
  }
  const field = FIELDS[path]
  assert.ok(field, `${path} is not a field of ECS`)
  assert.equal(Array.isArray(value), field.normalize.includes('array'), `${path}: array or not`)
  for (const element of Array.isArray(value) ? value : [value]) {
    if (field.type === 'object') {
      for (const [key, member] of flatten(element as Json)) assertEcs(`${path}.${key}`, member)
      continue
    }
    assert.ok(HAS_TYPE[field.type]?.(element), `${path} is to be ${field.type}: ${String(element)}`)
    if (field.pattern !== undefined) assert.match(String(element), new RegExp(field.pattern))
    if (field.allowed_values !== undefined) {
      assert.ok(
        field.allowed_values.some(({ name }) => name === element),
        `${path}: ${String(element)}`,
      )
    }
  }
}
