/**
 * quark's own JSON: one line per event, with the names of the TypeScript types. docs/json.md is its contract.
 */

import type { IdChange, QuarkEvent } from '../event/event.js'
import type { Process, ProcessUsage } from '../process/process.js'
import { digits, document, flag, hex, num, obj, str, strs, time } from './fragments.js'
import { idsOf } from './ids.js'

/**
 * One event as a line of JSON, without the line end. Unknown members are absent; times are ISO 8601 strings
 * with ns, capability sets hexadecimal strings, and other 64-bit values strings of decimal digits.
 */
export function jsonOf(event: QuarkEvent): string {
  return document(
    str('kind', event.kind) + time('time', event.timeNs) + members(event) + processOf(event.process),
  )
}

function members(event: QuarkEvent): string {
  switch (event.kind) {
    case 'process':
      return strs('actions', event.actions) + idChangeOf(event.idChange)
    case 'snapshot':
      return ''
    case 'thread':
      return (
        str('action', event.action) +
        num('pid', event.pid) +
        num('tid', event.tid) +
        str('comm', event.comm) +
        num('exitCode', event.exitCode)
      )
    case 'execFailed':
      return (
        num('pid', event.pid) +
        num('tid', event.tid) +
        str('filename', event.filename) +
        num('errno', event.errno)
      )
    case 'lost':
      return str('cause', event.cause) + num('count', event.count) + num('cpu', event.cpu)
    case 'raw':
      return str('name', event.name) + str('bytes', Buffer.from(event.bytes).toString('base64'))
  }
}

function idChangeOf(change: IdChange | undefined): string {
  if (change === undefined) return ''
  const { changed, from, to } = change
  return obj('idChange', strs('changed', changed) + obj('from', idsOf(from)) + obj('to', idsOf(to)))
}

function processOf(p: Process | undefined): string {
  if (p === undefined) return ''
  return obj('process', identityOf(p) + rightsOf(p) + placeOf(p) + programOf(p) + endOf(p))
}

function identityOf(p: Process): string {
  return (
    num('pid', p.pid) +
    str('entityId', p.entityId) +
    time('startTime', p.startTimeNs) +
    num('ppid', p.ppid) +
    num('pgid', p.pgid) +
    idsOf(p)
  )
}

function rightsOf(p: Process): string {
  return (
    hex('capInheritable', p.capInheritable) +
    hex('capPermitted', p.capPermitted) +
    hex('capEffective', p.capEffective) +
    hex('capBounding', p.capBounding) +
    hex('capAmbient', p.capAmbient)
  )
}

function placeOf(p: Process): string {
  return (
    num('ttyMajor', p.ttyMajor) +
    num('ttyMinor', p.ttyMinor) +
    num('utsNs', p.utsNs) +
    num('ipcNs', p.ipcNs) +
    num('mntNs', p.mntNs) +
    num('netNs', p.netNs) +
    str('cgroup', p.cgroup)
  )
}

function programOf(p: Process): string {
  return (
    str('comm', p.comm) +
    str('exe', p.exe) +
    flag('exeDeleted', p.exeDeleted) +
    str('cwd', p.cwd) +
    str('root', p.root) +
    strs('argv', p.argv) +
    flag('argvTruncated', p.argvTruncated) +
    num('argvSizeBytes', p.argvSizeBytes) +
    strs('env', p.env) +
    flag('envTruncated', p.envTruncated) +
    num('envSizeBytes', p.envSizeBytes)
  )
}

function endOf(p: Process): string {
  return (
    num('exitCode', p.exitCode) +
    num('exitSignal', p.exitSignal) +
    flag('coreDumped', p.coreDumped) +
    time('exitTime', p.exitTimeNs) +
    digits('durationNs', p.durationNs) +
    usageOf(p.usage)
  )
}

function usageOf(usage: ProcessUsage | undefined): string {
  if (usage === undefined) return ''
  return obj(
    'usage',
    digits('userTimeNs', usage.userTimeNs) +
      digits('systemTimeNs', usage.systemTimeNs) +
      num('peakRssBytes', usage.peakRssBytes) +
      digits('readBytes', usage.readBytes) +
      digits('writeBytes', usage.writeBytes),
  )
}
