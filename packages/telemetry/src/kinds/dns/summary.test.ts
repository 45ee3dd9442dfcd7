import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Process } from '../../process/process.js'
import { declarations } from '../../stream.js'
import { type SummarisedEvent, Summary, summaryText } from '../../summaries.js'
import { schemaCheck } from '../../testing/schema.js'
import type { DnsEvent } from './events.js'

const curl = { exe: '/usr/bin/curl' } as Process

function lookup(known: Partial<DnsEvent>): SummarisedEvent {
  return { kind: 'dns', timeNs: 0n, direction: 'outbound', process: curl, ...known } as SummarisedEvent
}

test('a summary has who looked up what most, and how often that failed', () => {
  const summary = new Summary()
  const both = ['query', 'answer'] as const
  summary.add(lookup({ actions: both, name: 'example.org', rcode: 'NOERROR' }))
  summary.add(lookup({ actions: ['query'], name: 'example.org' }))
  summary.add(lookup({ actions: ['answer'], name: 'example.org', rcode: 'SERVFAIL' }))
  summary.add(lookup({ actions: both, name: 'nowhere.example', rcode: 'NXDOMAIN' }))
  summary.add(lookup({ actions: both, name: 'example.org', direction: 'inbound', rcode: 'REFUSED' }))
  const report = summary.report({ seconds: 1 })
  assert.deepEqual(report.lookups, { asked: 3, served: 1, failed: 2 })
  assert.deepEqual(report.mostLookups, [
    { command: '/usr/bin/curl', name: 'example.org', asked: 2, failed: 1 },
    { command: '/usr/bin/curl', name: 'nowhere.example', asked: 1, failed: 1 },
  ])
  schemaCheck(declarations)(JSON.stringify({ time: '2026-01-02T03:04:05.678Z', ...report }))
  const text = summaryText(report)
  assert.match(text, /^3 names looked up, 1 question of others, 2 failed$/m)
  assert.match(text, /^Looked up most\n +2 {2}\/usr\/bin\/curl example\.org, 1 failed$/m)
})
