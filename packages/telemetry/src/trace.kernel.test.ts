import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { QuarkEvent } from './kinds/index.js'
import { trace } from './trace.js'

test('trace() runs a command and says what it did', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'quark-trace-'))
  t.after(() => rmSync(directory, { recursive: true, force: true }))
  const events: QuarkEvent[] = []
  const script = `echo x > ${directory}/made; /bin/true; sh -c 'exit 3' | cat; exit 5`
  const { exitCode, signal, report, timeline, baseline } = await trace(['/bin/sh', '-c', script], {
    stdio: 'ignore',
    onEvent: (event) => events.push(event),
  })
  assert.deepEqual([exitCode, signal], [5, undefined])
  assert.deepEqual(report.missing, [])
  assert.equal(report.processes.created, report.processes.seen)
  assert.deepEqual(
    report.activities.created?.map(({ target }) => target),
    [`${directory}/made`],
  )
  assert.ok(JSON.stringify(report.tree).includes('"exitCode":3'))
  assert.ok(timeline.traceEvents.length > 3)
  assert.ok(JSON.stringify(baseline).includes('/made"'))
  assert.ok(events.length > 0)
})

test('trace() of a command that ends by a signal, that there is not, and that is ended', async () => {
  assert.equal((await trace(['/bin/sh', '-c', 'kill -9 $$'], { stdio: 'ignore' })).signal, 'SIGKILL')
  assert.equal((await trace(['/nothing/there'], { stdio: 'ignore' })).exitCode, 127)
  await assert.rejects(trace([]), { code: 'ERR_QUARK_OPTION' })
  const signal = AbortSignal.timeout(1500)
  await assert.rejects(trace(['/bin/sleep', '60'], { stdio: 'ignore', signal }), {
    name: /AbortError|TimeoutError/,
  })
})
