import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import {
  complaintsAbout,
  complaintsAboutGood,
  isFull,
  LIMIT_MS,
  testFaults,
  walk,
} from './testing/fault-tests.js'
import type { WalkLine } from './testing/fault-walk.js'

/** Guests are slow; what they have and this machine may lack is in the tests of their own. */
const skip = process.env['KERNEL_TEST_FILE'] === undefined ? false : 'not in guests'

testFaults('ebpf', skip, 2)
testFaults('procConnector', skip, 2)

test(
  'what failed for want of room when features were found out works in the next queue',
  { skip, timeout: LIMIT_MS },
  async () => {
    const backend = 'ebpf'
    const [good] = await walk({ backend, part: 'count' })
    const { calls = [], missing } = good as WalkLine
    // The first programs and maps are those that find out features.
    const failing = calls.filter(
      ({ phase, kind, nth }) => phase === 'open' && kind.startsWith('bpf(') && (isFull || nth < 2),
    )
    assert.ok(failing.length > 0)
    for (const call of failing) {
      const lines = await walk({ backend, part: 'first', call, missing })
      assert.deepEqual(lines.slice(0, -1).flatMap(complaintsAbout), [])
      assert.deepEqual(complaintsAboutGood(lines.at(-1) as WalkLine), [])
    }
  },
)

const INDEX = JSON.stringify(new URL('index.js', import.meta.url).href)

test(
  'without a free descriptor a queue is refused, and says what to raise',
  { skip, timeout: LIMIT_MS },
  async () => {
    const script = `import { closeSync, openSync, readdirSync } from 'node:fs'
    import { Quark } from ${INDEX}
    const held = []
    try {
      for (;;) held.push(openSync('/dev/null', 'r'))
    } catch {}
    for (const free of [1, 4, 10]) {
      for (const fd of held.splice(0, free)) closeSync(fd)
      const { code, message } = await Quark.open({ backends: ['ebpf'] }).then(() => ({}), (error) => error)
      // As many are free as before.
      const again = []
      try {
        for (;;) again.push(openSync('/dev/null', 'r'))
      } catch {}
      console.log(JSON.stringify({ code, message, left: free - again.length }))
      held.push(...again)
    }`
    const command = 'ulimit -n 500; exec "$0" --input-type=module -e "$1"'
    const child = spawn('sh', ['-c', command, process.execPath, script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    assert.deepEqual(await once(child, 'close'), [0, null])
    const lines = said.trim().split('\n')
    assert.equal(lines.length, 3)
    for (const line of lines) {
      const { code, message, left } = JSON.parse(line) as { code?: string; message?: string; left: number }
      assert.equal(code, 'ERR_QUARK_BACKEND')
      assert.match(message ?? '', /EMFILE.*raise the limit with ulimit -n/)
      // Node keeps some of its own.
      assert.ok(left <= 1, `${left} descriptors left open`)
    }
  },
)
