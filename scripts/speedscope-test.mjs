// Opens a trace of `quark-mon run --trace` in speedscope, which is a real viewer, in a browser without a screen: whether it shows
// the rows of the trace with their lengths.
//   node scripts/speedscope-test.mjs        as root; needs chromium, from CHROMIUM or PATH
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const MON = fileURLToPath(new URL('../packages/mon/bin/quark-mon.cjs', import.meta.url))
const VIEWER = join(
  dirname(createRequire(import.meta.url).resolve('speedscope/package.json')),
  'dist/release',
)
const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
}
/** Of the browser's own clock: time passes there only while it has nothing to do. */
const BUDGET_MS = 20_000
const LIMIT_MS = 120_000
/** One after the other, and two at the same time. */
const COMMAND = ['sh', '-c', 'sh -c "sleep 0.1; true"; sleep 0.2 & sleep 0.3; wait']

function browser() {
  const names = [process.env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome']
  const found = names.find((name) => name !== undefined && spawnSync(name, ['--version']).status === 0)
  if (found === undefined) {
    console.error(
      'Cannot open traces in a viewer: no chromium is in PATH (apt-get install chromium, or set CHROMIUM)',
    )
    process.exit(1)
  }
  return found
}

/** The viewer, and the trace. */
function serve(trace) {
  return createServer(({ url }, response) => {
    const path = normalize(new URL(url, 'http://localhost').pathname)
    const file = path === '/trace.json' ? trace : join(VIEWER, path === '/' ? 'index.html' : path)
    try {
      const bytes = readFileSync(file)
      response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream').end(bytes)
    } catch {
      response.writeHead(404).end()
    }
  })
}

const chromium = browser()
const directory = mkdtempSync(join(tmpdir(), 'quark-speedscope-'))
const trace = join(directory, 'trace.json')
const server = serve(trace).listen(0, '127.0.0.1')
try {
  await once(server, 'listening')
  const args = [MON, 'run', `--trace=${trace}`, `--report=${join(directory, 'report.txt')}`, '--', ...COMMAND]
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  const { traceEvents } = JSON.parse(readFileSync(trace, 'utf8'))
  const { stdout: page } = await promisify(execFile)(
    chromium,
    [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--enable-unsafe-swiftshader',
      `--user-data-dir=${join(directory, 'profile')}`,
      `--virtual-time-budget=${BUDGET_MS}`,
      '--dump-dom',
      `http://127.0.0.1:${server.address().port}/#profileURL=/trace.json`,
    ],
    { timeout: LIMIT_MS, maxBuffer: 2 ** 26 },
  )
  const rows = traceEvents.filter(({ name }) => name === 'thread_name')
  assert.ok(rows.length >= 2, `${rows.length} rows`)
  for (const {
    tid,
    args: { name },
  } of rows) {
    const [, shown] =
      new RegExp(
        `title="${name.replaceAll(/[()]/g, '\\$&')} \\(pid 1, tid ${tid}\\)".*?>([\\d.]+)ms</td>`,
      ).exec(page) ?? []
    const spans = traceEvents.filter((event) => event.ph === 'X' && event.tid === tid)
    // Its length is that of what is outermost; the others are in it, or apart.
    const lengthMs = Math.max(...spans.map(({ dur }) => dur)) / 1000
    assert.ok(Number(shown) >= lengthMs - 0.01, `row "${name}" has ${shown} ms, and spans of ${lengthMs} ms`)
  }
  console.log(`speedscope in ${chromium} shows ${rows.length} rows of ${traceEvents.length} events`)
} finally {
  server.close()
  rmSync(directory, { recursive: true, force: true })
}
