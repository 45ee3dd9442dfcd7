import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { AUDIT_ANOM_ABEND, AUDIT_CWD, AUDIT_EOE, AUDIT_EXECVE, AUDIT_PATH, AUDIT_SYSCALL } from 'quark-ebpf'
import type { Fields, RecordLayout } from 'quark-ebpf/probe'
import { auditArchitectures, numbersOf } from '../../../backend/audit/architectures.js'
import { AuditEvents } from '../../../backend/audit/events.js'
import type {
  AuditRung,
  MakerContext,
  ProcConnectorRung,
  RecordWriter,
  TimedProcMessage,
} from '../../../facts/rungs.js'
import { checkOptions } from '../../../options/check.js'
import { findCgroupHierarchy } from '../../../process/procfs/cgroup-mounts.js'
import { findStat } from '../../../process/procfs/enrich.js'
import { auditRecord } from '../../../testing/audit-record.js'
import { catalogue } from '../../index.js'
import { processFacts } from '../facts.js'
import { PROCESS_CALLS } from './audit/calls.js'

const { pid } = process
/** A thread beside the first. */
const TID = Number(readdirSync('/proc/self/task').find((tid) => Number(tid) !== pid) ?? assert.fail())
const { startBootNs } = findStat({ pid, tid: pid, timeNs: 2n ** 63n }) ?? assert.fail()
const timeNs = startBootNs + 1_000_000_000n

const settings = checkOptions(catalogue.options, { maxEnvBytes: 4096, threads: true, failedExecs: true })
const facts = processFacts({ settings, hierarchy: findCgroupHierarchy() })

/** Notes which fields of each record were ever given. */
class FieldsSeen implements RecordWriter {
  readonly #seen = new Map<number, Set<string>>()

  push<F extends Fields>(layout: RecordLayout<F>, _at: unknown, values: object): void {
    const seen = this.#seen.get(layout.type) ?? new Set()
    for (const name of Object.keys(values)) seen.add(name)
    this.#seen.set(layout.type, seen)
  }

  settle(): void {
    // Nothing is kept.
  }

  /** Fields of some records that never had a value. */
  left(layouts: readonly RecordLayout[]): string[] {
    return layouts.flatMap(({ type, name, at }) => {
      const seen = this.#seen.get(type) ?? assert.fail(`no record of ${name}`)
      return Object.keys(at).flatMap((field) => (seen.has(field) ? [] : [`${name}.${field}`]))
    })
  }
}

/** Compares what the rungs of a backend say that they leave with what they left. */
function checkRungs(by: 'audit' | 'procConnector', records: FieldsSeen): void {
  const rungs = facts.flatMap((fact) =>
    fact.rungs.flatMap((rung) => (rung.by === by ? [{ name: fact.name, rung }] : [])),
  )
  const said = rungs.map(({ name, rung }) => [name, [...(rung.leaves ?? [])].sort()])
  const left = rungs.map(({ name, rung }) => [name, records.left(rung.fills).sort()])
  assert.deepEqual(said, left)
}

function contextWith(records: RecordWriter): MakerContext {
  return { records, unknownCpu: 9 }
}

function makerOf<R extends AuditRung | ProcConnectorRung>(by: R['by']): R['maker'] {
  const rung = facts.flatMap(({ rungs }) => rungs).find((rung): rung is R => rung.by === by)
  return (rung ?? assert.fail()).maker
}

test('records of the proc connector about a living process have all fields, except those that its rungs leave', () => {
  const records = new FieldsSeen()
  const maker = makerOf<ProcConnectorRung>('procConnector').open(contextWith(records))
  const base = { cpu: 0, seq: 1, monotonicNs: timeNs, timeNs, pid, tid: pid }
  const messages: readonly TimedProcMessage[] = [
    { ...base, kind: 'fork', tid: pid, ppid: process.ppid },
    { ...base, kind: 'exec' },
    { ...base, kind: 'sid' },
    { ...base, kind: 'comm', comm: Buffer.from('node') },
    { ...base, kind: 'fork', tid: TID, ppid: pid },
    { ...base, kind: 'exit', tid: TID, status: 0, ppid: process.ppid },
    { ...base, kind: 'exit', status: 0, ppid: process.ppid },
  ]
  for (const message of messages) {
    maker.take([message])
    // One by one, as there.
    maker.make([])
  }
  checkRungs('procConnector', records)
})

test('records of audit about a living process have all fields, except those that its rungs leave', () => {
  const { arch, architecture } = auditArchitectures()[0] ?? assert.fail()
  const records = new FieldsSeen()
  const maker = makerOf<AuditRung>('audit').open(contextWith(records))
  const events = new AuditEvents(() => 0n, Object.values(PROCESS_CALLS), [AUDIT_ANOM_ABEND])
  const timeMs = Number(timeNs / 1_000_000n)
  let serial = 0
  const line = (type: number, text: string): void => {
    const record = auditRecord(type, text, { timeMs, serial })
    if (record !== undefined) events.take(record)
  }
  // One by one: what comes later would take from an event what may have changed since.
  const make = (): void => {
    maker.take(events.takeComplete())
    maker.make([])
  }
  const call = (name: keyof typeof PROCESS_CALLS, text: string, caller = pid): void => {
    serial += 1
    const [number] = numbersOf([PROCESS_CALLS[name]], architecture)
    const ids = 'uid=1 gid=2 euid=3 suid=4 fsuid=3 egid=5 sgid=6 fsgid=5'
    line(
      AUDIT_SYSCALL,
      `arch=${arch.toString(16)} syscall=${number} ${text} ppid=1 pid=${caller} ${ids} comm="node" exe="/bin/node"`,
    )
    line(AUDIT_EXECVE, 'argc=1 a0="node"')
    line(AUDIT_CWD, 'cwd="/"')
    line(AUDIT_PATH, 'item=0 name="/bin/node"')
    line(AUDIT_EOE, '')
    make()
  }
  call('exec', 'success=yes exit=0')
  call('exec', 'success=no exit=-2')
  call('setsid', `success=yes exit=${pid}`)
  const comm = findStat({ pid, tid: pid, timeNs })?.comm ?? ''
  serial += 1
  const [prctl] = numbersOf([PROCESS_CALLS.prctl], architecture)
  line(
    AUDIT_SYSCALL,
    `arch=${arch.toString(16)} syscall=${prctl} success=yes exit=0 ppid=1 pid=${pid} comm="${comm}"`,
  )
  line(AUDIT_EOE, '')
  make()
  call('clone', `success=yes exit=${pid} a0=11`, process.ppid)
  call('exitGroup', 'a0=3')
  checkRungs('audit', records)
})
