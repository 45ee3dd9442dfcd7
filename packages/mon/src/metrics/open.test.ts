import assert from 'node:assert/strict'
import test from 'node:test'
import { statsOf } from '../testing/fakes.js'
import { FAMILIES, type MetricsSource } from './families.js'
import { registryOf } from './open.js'

function source(more: Partial<MetricsSource> = {}): MetricsSource {
  return {
    version: '1.2.3',
    events: new Map([['process', 7]]),
    lagMs: 250,
    waitingLines: 0,
    startMs: 1000,
    residentBytes: () => 4096,
    queue: {
      capabilities: {
        backend: 'ebpf',
        kernel: '6.1 "odd"\n',
        attached: [{ fact: 'exec', hook: 'h', flavor: 'direct' }],
        missing: [{ fact: 'usage', reason: 'not asked for' }],
      },
      stats: () =>
        statsOf({
          lostRingFull: { fork: 2, exec: 3 },
          lostRejected: 1,
          evicted: 5,
          evictedForBytes: 2,
          tables: { cgroup: { scans: 4 } },
        }),
    },
    ...more,
  }
}

/** Values by name and labels, of text that keeps the rules of OpenMetrics 1.0. */
function read(text: string): Map<string, number> {
  assert.ok(text.endsWith('# EOF\n'))
  const found = new Map<string, number>()
  let type: [string, string] = ['', '']
  for (const line of text.split('\n').slice(0, -2)) {
    const [, name = '', kind = ''] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? []
    if (name !== '') type = [name, kind]
    if (line.startsWith('#')) continue
    const [, sample = '', labels = '', value = ''] =
      /^([a-z_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? (-?[\d.e+-]+)$/.exec(line) ?? assert.fail(line)
    assert.equal(sample, type[1] === 'counter' ? `${type[0]}_total` : type[0])
    assert.ok(!found.has(sample + labels), line)
    found.set(sample + labels, Number(value))
  }
  return found
}

test('what a run counts is served as OpenMetrics, and what is not known is left out', async () => {
  const found = read(await registryOf(source()).metrics())
  for (const [sample, value] of [
    ['quark_info{version="1.2.3",backend="ebpf",kernel="6.1 \\"odd\\"\\n"}', 1],
    ['quark_fact_attached{fact="exec"}', 1],
    ['quark_fact_attached{fact="usage"}', 0],
    ['quark_events_total{kind="process"}', 7],
    ['quark_records_lost_total{cause="ringFull"}', 5],
    ['quark_records_lost_total{cause="rejected"}', 1],
    ['quark_records_ring_full_total{record="exec"}', 3],
    ['quark_processes_evicted_total{limit="count"}', 3],
    ['quark_table_stat{table="cgroup",counter="scans"}', 4],
    ['quark_lag_seconds', 0.25],
    ['process_resident_memory_bytes', 4096],
  ] as const) {
    assert.equal(found.get(sample), value, sample)
  }
  const opening = read(
    await registryOf(
      source({ queue: undefined, lagMs: undefined, residentBytes: () => undefined }),
    ).metrics(),
  )
  for (const name of ['quark_info', 'quark_processes', 'quark_lag_seconds', 'process_resident_memory_bytes'])
    assert.ok(![...opening.keys()].some((sample) => sample.startsWith(name) && !/_total/.test(sample)), name)
})

test('each reading has the counters of its own time', async () => {
  const events = new Map([['process', 1]])
  const registry = registryOf(source({ events }))
  for (const count of [1, 5, 5]) {
    events.set('process', count)
    assert.equal(read(await registry.metrics()).get('quark_events_total{kind="process"}'), count)
  }
})

test('names and labels are words of ours', () => {
  assert.equal(new Set(FAMILIES.map(({ name }) => name)).size, FAMILIES.length)
  for (const { name, help, labels } of FAMILIES) {
    assert.match(name, /^(quark|process)_[a-z_]+$/)
    assert.doesNotMatch(name, /_total$/)
    assert.match(help, /^[A-Z][^\n"\\]+$/)
    for (const label of labels) assert.match(label, /^[a-z]+$/)
  }
})
