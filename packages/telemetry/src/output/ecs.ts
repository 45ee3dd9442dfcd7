/**
 * Elastic Common Schema: one document per event. docs/ecs.md is its contract.
 */

import type { IdChange, ProcessAction, QuarkEvent } from '../event/event.js'
import type { Process } from '../process/process.js'
import { hostFields } from './ecs-host.js'
import { type EcsContext, processFields, unnamedFields } from './ecs-process.js'
import { document, num, obj, str, strs, time } from './fragments.js'
import { idsOf } from './ids.js'
import { errnoName } from './names.js'

/** The version of ECS whose fields are used. */
export const ECS_VERSION = '9.4.0'

/** A function that writes events as lines of ECS JSON, without line ends. Host fields are written once, here. */
export function createEcs(context: EcsContext): (event: QuarkEvent) => string {
  const everywhere =
    obj('ecs', str('version', ECS_VERSION)) + (context.host === undefined ? '' : hostFields(context.host))

  return (event) =>
    document(
      time('@timestamp', event.timeNs) +
        everywhere +
        obj('event', categorisation(event) + durationOf(event)) +
        errorOf(event) +
        userOf(event.process, context) +
        processOf(event, context) +
        obj('quark', beyondEcs(event)),
    )
}

function categorisation(event: QuarkEvent): string {
  return (
    str('action', actionOf(event)) +
    str('kind', event.kind === 'snapshot' ? 'state' : 'event') +
    strs('category', ['process']) +
    strs('type', typesOf(event)) +
    str('outcome', event.kind === 'execFailed' ? 'failure' : undefined) +
    str('module', 'quark') +
    str('dataset', 'quark.process')
  )
}

function actionOf(event: QuarkEvent): string {
  switch (event.kind) {
    case 'process':
      return processAction(event.actions)
    case 'snapshot':
      return 'process-snapshot'
    case 'thread':
      return event.action === 'fork' ? 'thread-forked' : 'thread-exited'
    case 'execFailed':
      return 'process-exec-failed'
    case 'lost':
      return 'records-lost'
    case 'raw':
      throw new TypeError('Cannot write a raw record as ECS: it has no process')
  }
}

function processAction(actions: readonly ProcessAction[]): string {
  const forked = actions.includes('fork') ? '-forked' : ''
  const executed = actions.includes('exec') ? '-executed' : ''
  const exited = actions.includes('exit') ? '-exited' : ''
  const life = forked + executed + exited
  // Changes are only named when nothing else happened: rules match on the names that fork, exec and exit make.
  if (life !== '') return `process${life}`
  const changed = actions.includes('idChange') ? '-id-changed' : ''
  const renamed = actions.includes('commChange') ? '-renamed' : ''
  return `process${changed}${renamed}`
}

function typesOf(event: QuarkEvent): string[] {
  // Neither is the start or end of a process, which is what others count by these types.
  if (event.kind === 'thread') return ['change']
  if (event.kind !== 'process') return ['info']

  const { actions } = event
  const types: string[] = []
  if (actions.includes('fork') || actions.includes('exec')) types.push('start')
  if (actions.includes('idChange') || actions.includes('commChange')) types.push('change')
  if (actions.includes('exit')) types.push('end')
  return types
}

function durationOf(event: QuarkEvent): string {
  const ended = event.kind === 'process' && event.actions.includes('exit')
  return ended ? num('duration', event.process.durationNs) : ''
}

function errorOf(event: QuarkEvent): string {
  if (event.kind !== 'execFailed') return ''
  return obj('error', str('code', errnoName(event.errno) ?? String(event.errno)))
}

/** Whose rights the process has: the effective ids. */
function userOf(p: Process | undefined, { userName, groupName }: EcsContext): string {
  if (p === undefined) return ''
  const group = p.egid === undefined ? '' : obj('group', idAndName(p.egid, groupName))
  return obj('user', (p.euid === undefined ? '' : idAndName(p.euid, userName)) + group)
}

function idAndName(id: number, nameOf: (id: number) => string | undefined): string {
  return str('id', String(id)) + str('name', nameOf(id))
}

function processOf(event: QuarkEvent, context: EcsContext): string {
  if (event.kind === 'lost' || event.kind === 'raw') return ''
  const thread = threadOf(event)
  if (event.process !== undefined) return obj('process', processFields(event.process, context, thread))
  return obj('process', num('pid', event.pid) + obj('thread', thread))
}

function threadOf(event: QuarkEvent): string {
  switch (event.kind) {
    case 'thread':
      return num('id', event.tid) + str('name', event.comm)
    case 'execFailed':
      return num('id', event.tid)
    default:
      return ''
  }
}

/** What ECS has no field for. */
function beyondEcs(event: QuarkEvent): string {
  switch (event.kind) {
    case 'process':
      return strs('actions', event.actions) + idChangeOf(event.idChange) + unnamedFields(event.process)
    case 'snapshot':
      return unnamedFields(event.process)
    case 'thread':
      return obj('thread', num('exit_code', event.exitCode)) + unnamedFields(event.process)
    case 'execFailed':
      return (
        obj('exec_failed', num('errno', event.errno) + str('filename', event.filename)) +
        unnamedFields(event.process)
      )
    case 'lost':
      return obj('lost', str('cause', event.cause) + num('count', event.count) + num('cpu', event.cpu))
    case 'raw':
      return ''
  }
}

function idChangeOf(change: IdChange | undefined): string {
  if (change === undefined) return ''
  const { changed, from, to } = change
  return obj('id_change', strs('changed', changed) + obj('from', idsOf(from)) + obj('to', idsOf(to)))
}
