/** Declarations of the events of containers. */

import type { EventSpec } from '../../event/spec.js'
import { containerObject, podObject } from '../../process/spec-parts.js'
import type { ContainerEvent, ContainerProblemEvent } from './events.js'

const containerSpec: EventSpec<ContainerEvent> = {
  kind: 'container',
  doc: 'What a runtime or Kubernetes says of a container or pod: events from now on have it',
  subject: () => 0,
  fields: {
    action: {
      type: 'word',
      words: ['known', 'gone'],
      doc: 'more is known of it, or Kubernetes has no such pod any more',
      isAlwaysKnown: true,
    },
    container: {
      type: 'object',
      object: containerObject,
      doc: 'the container; absent if it is about a pod alone',
      ecs: 'container',
    },
    pod: { type: 'object', object: podObject, doc: 'its pod', ecs: 'orchestrator' },
    uid: {
      type: 'number',
      max: 0xffff_ffff,
      doc: 'id of a user in the container, as the machine has it (`containerUsers`)',
      ecs: 'quark.known_user.id',
    },
    user: { type: 'string', doc: 'its name in the container', ecs: 'quark.known_user.name' },
    gid: {
      type: 'number',
      max: 0xffff_ffff,
      doc: 'id of a group in the container, as the machine has it',
      ecs: 'quark.known_group.id',
    },
    group: { type: 'string', doc: 'its name in the container', ecs: 'quark.known_group.name' },
  },
  text: {
    word: ({ action }) => (action === 'known' ? 'name' : 'gone'),
    words: {
      name: { doc: 'a runtime or Kubernetes says what a container or pod is', tone: 'quiet' },
      gone: { doc: 'Kubernetes has no such pod any more', tone: 'quiet' },
    },
    name: ({ container, pod }) => container?.name ?? container?.id ?? pod?.name ?? pod?.uid,
    notes: [
      {
        label: 'id ',
        type: 'string',
        value: ({ container }) => (container?.name === undefined ? undefined : container.id.slice(0, 12)),
        doc: 'the beginning of its id',
        example: 'id 3f2a9c0e7d41',
      },
      {
        label: 'image ',
        type: 'string',
        value: ({ container }) => container?.image,
        doc: 'its image',
        example: 'image docker.io/library/nginx',
      },
      {
        label: 'pod ',
        type: 'string',
        value: ({ pod }) => (pod?.name === undefined ? undefined : `${pod.namespace ?? ''}/${pod.name}`),
        doc: 'namespace and name of its pod',
        example: 'pod shop/web-1',
      },
      {
        label: 'user ',
        type: 'string',
        value: ({ user }) => user,
        doc: 'the name of a user in it (`--container-users`)',
        example: 'user www-data',
      },
      {
        label: 'group ',
        type: 'string',
        value: ({ group }) => group,
        doc: 'the name of a group in it',
        example: 'group www-data',
      },
    ],
  },
  dump: { title: () => 'CONTAINER' },
  ecs: {
    action: ({ action }) => (action === 'known' ? 'container-known' : 'pod-gone'),
    kind: 'state',
    category: ['host'],
    type: ['info'],
    dataset: 'quark.container',
    rows: [
      { what: 'details of a container or pod', action: '`container-known`', type: '`info`' },
      { what: 'a pod that is gone', action: '`pod-gone`', type: '`info`' },
    ],
  },
}

const problemSpec: EventSpec<ContainerProblemEvent> = {
  kind: 'containerProblem',
  doc: 'A runtime or Kubernetes cannot be asked: names of containers are missing until it can again',
  subject: () => 0,
  fields: {
    problem: {
      type: 'string',
      doc: 'which, where, and why',
      isAlwaysKnown: true,
      dump: 'PROB problem',
      ecs: 'error.message',
    },
  },
  text: {
    word: () => 'mute',
    words: { mute: { doc: 'a runtime or Kubernetes cannot be asked', tone: 'wrong' } },
    sentence: ({ problem }) => problem,
  },
  dump: { title: () => 'CONTAINER_PROBLEM', isAlarm: true },
  ecs: {
    action: 'container-problem',
    kind: 'state',
    category: ['host'],
    type: ['info'],
    outcome: 'failure',
    dataset: 'quark.container',
  },
}

/** In the order of the docs. */
export const containerEvents = [containerSpec, problemSpec] as const
