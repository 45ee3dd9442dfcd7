import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { assertContacted, assertOnly, assertRan, trace } from './assertions.js'

test('a test asserts what a command may do', async (t) => {
  const server = createServer((_, response) => response.end('x')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const script = `require('http').get('http://127.0.0.1:${port}', (r) => r.resume()); require('child_process').execSync('/bin/true')`
  const { report } = await trace([process.execPath, '-e', script], { stdio: 'ignore' })
  assertContacted(report, `127.0.0.1:${port}`)
  assertRan(report, '*/true')
  assertOnly(report, { contacted: ['127.0.0.1:*'], written: [], listened: [] })
  assert.throws(() => assertOnly(report, { contacted: [] }), {
    code: 'ERR_ASSERTION',
    message: new RegExp(`did what is not allowed:\ncontacted 127\\.0\\.0\\.1:${port}$`),
  })
  assert.throws(() => assertRan(report, '/usr/bin/nothing'), /did not run \/usr\/bin\/nothing, but:\n/)
  assert.throws(() => assertContacted(report, 'example.org:*'), /did not contact/)
  assert.throws(
    () => assertOnly({ ...report, isComplete: false, missing: ['3 records were lost'] }, {}),
    /3 records were lost/,
  )
})
