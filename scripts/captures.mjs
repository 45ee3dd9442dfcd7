// Captures of the command from real runs, for the README and the docs: docs/captures/NAME.txt, and NAME.svg with colours.
//   node scripts/captures.mjs [name…]        as root; the names are those of CAPTURES, by default all
// A scenario runs once under quark-mon, which records it; what is captured are replays of that on terminals of script(1),
// so that all show the same processes. Pages that have a marker `<!-- capture: NAME -->` get the text.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { svgOf, textOf } from './captures/terminal.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const MON = join(root, 'packages/mon/bin/quark-mon.cjs')
const SCENARIO = join(root, 'scripts/captures/scenario.sh')
const PAGES = ['README.md', 'docs/text.md', 'docs/run.md', 'docs/doctor.md']
const FOLDER = join(root, 'docs/captures')

/** The recording is also one of those that come with the library. */
const FIXTURE = join(root, 'packages/telemetry/data/recordings/processes.quarkrec')
/** Stands for the recording of the scenario. */
const RECORDING = 'RECORDING'
/** Each is one run on a terminal: `shown` is the command line over it, and `args` are those of quark-mon. */
const CAPTURES = [
  { name: 'text-80', columns: 80, shown: 'quark-mon', args: ['--replay', RECORDING] },
  { name: 'text-160', columns: 160, shown: 'quark-mon', args: ['--replay', RECORDING] },
  { name: 'doctor', columns: 80, shown: 'quark-mon doctor', args: ['doctor'] },
  { name: 'tree', columns: 100, shown: 'quark-mon --tree', args: ['--tree', '--replay', RECORDING] },
  ofCommand('run', 100, [], ['sh', '-c', 'make -s count; (sleep 0.2; date > today) & exit 3'], ['--wait']),
  ofCommand('summary', 80, ['--summary'], ['make', '-s', '-j2', 'all']),
]

/** A run of a command among the files of `build`, which has its notes, too. */
function ofCommand(name, columns, options, command, more = []) {
  const words = [...options, ...more, '--', ...command]
  const shown = words.map((word) => (/^[\w.-]+$/.test(word) ? word : `'${word}'`)).join(' ')
  return { name, columns, shown: `quark-mon ${shown}`, args: words, hasNotes: true }
}

/** A small program of several files. */
function build(directory) {
  const files = Array.from({ length: 8 }, (_, i) => `part${i}`)
  for (const file of files) writeFileSync(join(directory, `${file}.c`), `int ${file}(void) { return 1; }\n`)
  writeFileSync(
    join(directory, 'Makefile'),
    [
      `all: ${files.map((file) => `${file}.o`).join(' ')} count`,
      '%.o: %.c',
      '\tcc -O2 -c $<',
      'count:',
      '\tcat part*.c | wc -l',
      '.PHONY: count',
      '',
    ].join('\n'),
  )
}

/** The shell of the scenario waits for a line before it begins: by then it is watched. */
async function record(path, directory) {
  copyFileSync(SCENARIO, join(directory, 'work.sh'))
  const shell = spawn('bash', ['work.sh'], {
    cwd: directory,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' },
  })
  const args = [MON, '-v', '--failed-execs', `--tree-of=${shell.pid}`, '--record', path]
  const mon = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  const ended = once(mon, 'close')
  await new Promise((resolve, reject) => {
    mon.stderr.setEncoding('utf8').on('data', (text) => {
      errors += text
      if (/^quark-mon: backend /m.test(errors)) resolve()
    })
    void ended.then(() => reject(new Error(`Cannot record: ${errors}`)))
  })
  shell.stdin.end('go\n')
  await once(shell, 'close')
  // Longer than records are held.
  await new Promise((resolve) => setTimeout(resolve, 2000))
  mon.kill('SIGINT')
  await ended
}

/** What quark-mon writes on a terminal of so many columns, with its control sequences. */
function runOnTerminal({ columns, args, hasNotes = false }, recording, directory) {
  const words = [process.execPath, MON, ...args].map((arg) => (arg === RECORDING ? recording : arg))
  const command = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
  const out = execFileSync(
    'script',
    [
      // The status of a command is its own.
      hasNotes ? '-qc' : '-qec',
      `stty cols ${columns} rows 50; exec ${command}${hasNotes ? '' : ' 2> /dev/null'}`,
      '/dev/null',
    ],
    {
      cwd: directory,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH, HOME: '/root', LANG: 'C.UTF-8', TERM: 'xterm-256color', TZ: 'UTC' },
    },
  )
  return out.replaceAll('\r\n', '\n')
}

/** Replaces what stands between the markers of a page. */
function fillIn(page, texts) {
  return page.replace(/(<!-- capture: ([\w-]+) -->\n)[^]*?(<!-- end -->)/g, (whole, start, name, end) =>
    texts[name] === undefined ? whole : `${start}\n\`\`\`\n${texts[name]}\`\`\`\n\n${end}`,
  )
}

const wanted = process.argv.slice(2)
const unknown = wanted.find((name) => !CAPTURES.some((capture) => capture.name === name))
if (unknown !== undefined) {
  throw new Error(`No capture "${unknown}": there are ${CAPTURES.map(({ name }) => name).join(', ')}`)
}
const captures = CAPTURES.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
const directory = mkdtempSync('/tmp/demo-')
const texts = {}
try {
  const recording = join(directory, '.recording')
  if (captures.some(({ args }) => args.includes(RECORDING))) {
    await record(recording, directory)
    copyFileSync(recording, FIXTURE)
    chmodSync(FIXTURE, 0o644)
  }
  build(directory)
  for (const capture of captures) {
    const { name, columns, shown } = capture
    const text = `$ ${shown}\n${runOnTerminal(capture, recording, directory)}`
    texts[name] = textOf(text)
    writeFileSync(join(FOLDER, `${name}.txt`), texts[name])
    writeFileSync(join(FOLDER, `${name}.svg`), svgOf(text, columns))
    console.log(`Wrote: docs/captures/${name}.txt and .svg`)
  }
} finally {
  rmSync(directory, { recursive: true, force: true })
}
for (const page of PAGES) {
  const before = readFileSync(join(root, page), 'utf8')
  const after = fillIn(before, texts)
  if (after === before) continue
  writeFileSync(join(root, page), after)
  console.log(`Wrote: ${page}`)
}
