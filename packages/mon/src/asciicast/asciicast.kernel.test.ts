import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Running, runCommand } from '../testing/command.js'

/** Guests have no script(1). */
const skip = spawnSync('script', ['-V']).status === 0 ? false : 'needs script(1)'

let folder = ''
let recording = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'asciicast-'))
  recording = join(folder, 'session')
})
after(() => rmSync(folder, { recursive: true }))

/** A session of a shell: with colours, another size, and bytes that are no text. */
const SESSION = String.raw`
stty cols 100 rows 30
printf '\033[1mbold\033[0m\n'
stty cols 80 rows 24
printf 'gr\303\274\303\237e\n\377\n'
`

/** Runs a session in a terminal of its own. */
async function session(commands: string): Promise<void> {
  const child = spawn('script', ['-qec', commands, '/dev/null'], { stdio: ['ignore', 'ignore', 'inherit'] })
  await once(child, 'close')
}

/** What the sessions show, whichever terminal it was. */
function castOf(text: string): unknown[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
}

test('a session that was recorded after -D is a cast, which asciinema plays', { skip }, async (t) => {
  const running = new Running(['-D', '-q', '--json', '--tty', '--event=tty', `--record=${recording}`])

  await running.seen(/"kind":"start"/)
  await session(SESSION)
  await session('echo another; sleep 0.2')
  await running.seen(/another/)
  running.child.kill('SIGINT')
  const { code, out } = await running.ended()
  assert.equal(code, 0)
  assert.ok(!out.includes('quark-mon pts'), 'it shows its own output')

  await t.test('terminals are listed', () => {
    const { code, out } = runCommand(['asciicast', '--list', recording])
    assert.equal(code, 0)
    assert.match(out, /^pts\/\d+ +\d{4}-\S+Z, \d+\.\d s, 80x24, \d+ writes, \d+ bytes, by /m)
  })
  const names = runCommand(['asciicast', '-l', recording]).out.match(/^\S+/gm) ?? []
  const casts = names.map((name) => runCommand(['asciicast', `--terminal=${name}`, recording]).out)
  const cast = casts.find((text) => text.includes('bold')) ?? assert.fail('no cast has the session')
  await t.test('the cast is in the format', () => {
    const [header, ...events] = castOf(cast) as [Record<string, unknown>, ...[number, string, string][]]
    assert.equal(header['version'], 2)
    for (const name of ['width', 'height', 'timestamp']) assert.ok(Number.isInteger(header[name]), name)
    assert.equal(typeof header['title'], 'string')
    let last = 0
    for (const [time, code, data] of events) {
      assert.ok(time >= last)
      assert.match(code, /^[orm]$/)
      assert.equal(typeof data, 'string')
      last = time
    }
    const shown = events.map(([, code, data]) => (code === 'o' ? data : `<${code} ${data}>`)).join('')
    assert.ok(shown.includes('\u001b[1mbold\u001b[0m\r\n<r 80x24>grüße\r\n\ufffd\r\n'), shown)
  })
  await t.test('asciinema shows what the terminal did', (t) => {
    if (spawnSync('asciinema', ['--version']).status !== 0) {
      t.skip('asciinema is not installed')
      return
    }
    const path = join(folder, 'session.cast')
    writeFileSync(path, cast)
    // It wants a terminal.
    const { stdout } = spawnSync('script', ['-qec', `asciinema cat ${path}`, '/dev/null'], {
      encoding: 'utf8',
    })
    const shown = '\u001b[1mbold\u001b[0m\r\ngrüße\r\n\ufffd\r\n'
    assert.ok(stdout.includes(shown), stdout)
  })
  await t.test('a file is not overwritten unless that is asked for', () => {
    const path = join(folder, 'file')
    writeFileSync(path, 'mine')
    const args = ['asciicast', `--terminal=${names[0]}`, '-o', path, recording]
    const refused = runCommand(args)
    assert.deepEqual([refused.code, readFileSync(path, 'utf8')], [2, 'mine'])
    assert.match(refused.err, /exists already: give --truncate/)
    assert.equal(runCommand(['asciicast', '--truncate', ...args.slice(1)]).code, 0)
    assert.equal(readFileSync(path, 'utf8'), casts[0])
  })
})

test('what is wrong is said', () => {
  const rows: [args: string[], code: number, message: RegExp][] = [
    [[], 2, /needs a recording: give the file/],
    [['a', 'b'], 2, /takes one recording/],
    [['/nowhere/recording'], 1, /nowhere\/recording/],
    [['--colour', 'x'], 2, /Unknown option/],
  ]
  for (const [args, code, message] of rows) {
    const run = runCommand(['asciicast', ...args])
    assert.deepEqual([run.code, run.out], [code, ''])
    assert.match(run.err, message)
  }
  assert.match(
    runCommand(['asciicast', '--help']).out,
    /^Usage: quark-mon asciicast \[option \.\.\.\] RECORDING\n/,
  )
})
